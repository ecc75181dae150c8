// Package process runs the programs of a test stack: homeservers, the bridge, the sandbox gatekeeper.
//
// A [Process] lives in its own process group, so that a Ctrl-C in the terminal reaches only the program that owns it.
// On Linux the kernel kills it when its owner dies, so that nothing is left running after a crash. Its output goes to
// one log file, of which errors show the end.
//
//	p, err := process.Start(process.Options{Name: "bridge", Path: bin, Args: []string{"run"}, LogFile: log})
//	...
//	err = p.WaitReady(ctx, process.HTTPCheck(url))
//	...
//	err = p.Stop(ctx)
package process
