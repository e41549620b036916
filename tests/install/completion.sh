# Prints what bash would offer behind the words of a command line.
#
# usage: bash completion.sh SCRIPT FUNCTION WORD...
set -u
. "$1"
function=$2
shift 2
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMPREPLY=()
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}"
printf '%s\n' ${COMPREPLY[@]+"${COMPREPLY[@]}"}
