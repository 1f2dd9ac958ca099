job "edge" {
  deliver "exec" "one" {
    command = []
  }
  deliver "exec" "two" {
    command = ["", "-v"]
  }
}
