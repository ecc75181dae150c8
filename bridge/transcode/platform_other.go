//go:build !linux

package transcode

import (
	"os"
	"syscall"
)

// There are no anonymous files in memory here that another program could seek in, so there is no Tool either: Probe asks
// supported first. The rest is never called.

func supported() error { return ErrUnsupported }

func memoryFile(string) (*os.File, error) { return nil, ErrUnsupported }

func attributes() *syscall.SysProcAttr { return nil }

func restrict(int, limits) error { return ErrUnsupported }

func outgrew(*os.ProcessState) bool { return false }
