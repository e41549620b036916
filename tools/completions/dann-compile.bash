# Completion of dann-compile and dann-opt for bash, and of compiled programs:
#
#   complete -F _dann_program ./fashion
#
# Options and their values are what --help says.

# Sets COMPREPLY to those of the words $2... that begin with $1.
_dann_choose() {
  local current=$1
  shift
  mapfile -t COMPREPLY < <(compgen -W "$*" -- "$current")
}

# The files that begin with $1; if there are other arguments, those with one of
# these endings, and directories.
_dann_files() {
  local current=$1 pattern
  shift
  compopt -o filenames 2>/dev/null
  if (($# == 0)); then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
  fi
  pattern=$(IFS='|' && echo "*.@($*)")
  mapfile -t COMPREPLY < <(
    shopt -s extglob
    compgen -d -- "$current"
    compgen -f -X "!$pattern" -- "$current"
  )
}

# The tools: options as LLVM's command line library lists them.
_dann_tool() {
  local tool=$1 current=${COMP_WORDS[COMP_CWORD]} option help
  shift
  help=$("$tool" --help 2>/dev/null) || return
  # bash splits at "=": --emit = mlir.
  if [[ $current == "=" ]]; then
    option=${COMP_WORDS[COMP_CWORD - 1]}
    current=
  elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == "=" ]]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if [[ -n ${option-} ]]; then
    # The lines "=value - ..." below the option.
    local values
    values=$(awk -v option="$option=" '
      /^ *-/ { inside = index($1, option) == 1; next }
      inside && /^ *=/ { sub(/^=/, "", $1); print $1 }' <<<"$help")
    if [[ -n $values ]]; then
      _dann_choose "$current" "$values"
    else
      _dann_files "$current"
    fi
  elif [[ $current == -* ]]; then
    _dann_choose "$current" "$(grep -oE '^ +--?[A-Za-z][A-Za-z0-9-]*=?' <<<"$help")"
    [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
  elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == -o ]]; then
    _dann_files "$current"
  else
    _dann_files "$current" "$@"
  fi
}
_dann_compile() { _dann_tool "$1" txtpb onnx; }
_dann_opt() { _dann_tool "$1" mlir; }
complete -F _dann_compile dann-compile
complete -F _dann_opt dann-opt

# Compiled programs: a command, then its options.
_dann_program() {
  local program=$1 current=${COMP_WORDS[COMP_CWORD]} help
  if ((COMP_CWORD == 1)); then
    help=$("$program" --help 2>/dev/null) || return
    _dann_choose "$current" --help \
      "$(awk '/^Subcommands:/ { inside = 1; next } inside { print $1 }' <<<"$help")"
  elif [[ $current == -* ]]; then
    help=$("$program" "${COMP_WORDS[1]}" --help 2>/dev/null) || return
    _dann_choose "$current" "$(grep -oE -- '--[a-z][a-z0-9-]*' <<<"$help")"
  else
    _dann_files "$current"
  fi
}
