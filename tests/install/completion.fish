# Prints what fish would offer behind a command line.
#
# usage: fish --no-config completion.fish SCRIPT LINE
source $argv[1]
complete -C $argv[2]
