# Prints what zsh would offer behind a command line.
#
# usage: zsh -f completion.zsh DIRECTORY LINE
#
# DIRECTORY is that of the completion function. zsh completes at a prompt only, so
# a shell in a pseudo-terminal gets the line and the key for it. Its compadd says
# which words it is about to add; those that it only looks at (-O, -A, -D) are none.
zmodload zsh/zpty zsh/zselect
export OFFERED=$(mktemp)
trap 'zpty -d shell; rm -f $OFFERED' EXIT
zpty shell zsh -f -i
zpty -w shell "stty -echo; PROMPT=; fpath=(${(q)1} \$fpath)"
zpty -w shell 'autoload -Uz compinit; compinit -D -u'
zpty -w shell 'compadd() {
  local -a words_added options=("${@[1,(i)--]}")
  if ((! ${options[(I)-[OAD]*]})); then
    builtin compadd -O words_added "$@"
    ((! $#words_added)) || print -rl -- $words_added >>$OFFERED
  fi
  builtin compadd "$@"
}'
zpty -w shell 'say_done() { print -r -- "" >>$OFFERED }'
zpty -w shell 'complete_line() { comppostfuncs=(say_done); _main_complete }'
zpty -w shell 'zle -C complete-line complete-word complete_line; bindkey "^I" complete-line'
zpty -wn shell "$2"$'\t'
# An empty line is the last one. Half a minute is plenty.
repeat 300; do
  [[ $(tail -c 2 $OFFERED | od -An -c) == *'\n'*'\n'* || $(wc -c <$OFFERED) -eq 1 ]] && break
  zselect -t 10
done
sed '/^$/d' $OFFERED
