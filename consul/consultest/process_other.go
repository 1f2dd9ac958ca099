//go:build !linux

package consultest

import "syscall"

// endWithParent does nothing where the kernel can't: a test that is killed leaves its server behind.
func endWithParent() *syscall.SysProcAttr { return nil }
