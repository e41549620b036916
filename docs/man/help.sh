#!/bin/sh
# Prints what $DANN_TOOL says of itself as help2man wants it: options, two spaces,
# and what they mean.
"$DANN_TOOL" "$@" | sed -E \
  -e 's/^OVERVIEW: //' \
  -e 's/^USAGE: /Usage: /' \
  -e '/^OPTIONS:$/d' \
  -e '/^Available Dialects:/d' \
  -e 's/^( *--?[^ ]+( <[a-z ]+>)?) +- +/\1  /' \
  -e 's/^ *=([^ ]+) +- +/                        \1: /'
