# Sourced by tests of clients that are programs of ours.

# report NAME COMMAND...: runs the program; its lines "pass NAME" and "FAIL NAME: why" become checks, and "end" is its last.
report() {
  local name=$1 verdict rest ended=
  shift
  while read -r verdict rest; do
    case $verdict in
      pass) pass "$rest" ;;
      FAIL) fail "${rest%%: *}" "${rest#*: }" ;;
      end) ended=1 ;;
      *) echo "$verdict $rest" ;;
    esac
  done < <("$@" 2>&1)
  [ -n "$ended" ] || fail "$name ran to its end"
}
