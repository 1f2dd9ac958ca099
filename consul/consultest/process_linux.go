package consultest

import "syscall"

// endWithParent has the kernel kill the server with the test process: no cleanup runs when go test's -timeout ends it.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
