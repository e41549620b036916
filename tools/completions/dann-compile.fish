# Completion of dann-compile and dann-opt for fish. Options and their values are
# what --help says, as in dann-compile.bash.

# One candidate a line: an option, or an option with one of its values, and behind a
# tab what it does.
function __dann_options --argument-names tool
    command $tool --help 2>/dev/null | awk '
        /^ +--?[A-Za-z]/ { option = $1; sub(/=.*/, "=", option); print option text($0) }
        /^ +=/ { print option substr($1, 2) text($0) }
        function text(line) {
          return sub(/^.* - +/, "\t", line) ? line : ""
        }'
end

# The files with one of these endings that begin with what is typed, and
# directories.
function __dann_files
    for name in (__fish_complete_path (commandline -ct) | string split -f 1 \t)
        for ending in / $argv
            string match -q -- "*$ending" $name
            and echo $name
        end
    end
end

for tool in dann-compile dann-opt
    complete -c $tool -f
    complete -c $tool -n 'string match -q -- "-*" (commandline -ct)' -a "(__dann_options $tool)"
    complete -c $tool -s o -r -F
end
complete -c dann-compile -a '(__dann_files .txtpb .onnx)'
complete -c dann-opt -a '(__dann_files .mlir)'
