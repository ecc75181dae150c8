package daemon

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"postern/testbed/process"
)

const (
	// startTimeout bounds Start.
	startTimeout = 60 * time.Second
	// readyPath answers 200 when the bridge takes transactions. It is part of the appservice library.
	readyPath = "/_matrix/mau/ready"
)

// LogFile is where the bridge's output goes.
func (d *Daemon) LogFile() string { return filepath.Join(d.options.Dir, logName) }

// tempDir is for the bridge's temporary files.
func (d *Daemon) tempDir() string { return filepath.Join(d.options.Dir, "tmp") }

// Start runs the bridge and returns when it takes messages. It may be stopped or killed and started again.
func (d *Daemon) Start(ctx context.Context) error {
	if err := os.MkdirAll(d.tempDir(), 0o700); err != nil {
		return fmt.Errorf("failed to make a folder for temporary files: %w", err)
	}
	return d.Service.Start(ctx, process.Options{
		Name:    "bridge",
		Path:    d.options.Binary,
		Args:    []string{"run", "--config", d.ConfigFile()},
		Dir:     d.options.Dir,
		LogFile: d.LogFile(),
		// All that the bridge writes has to be in its folder, where tests look for what it must not write.
		Env: []string{"TMPDIR=" + d.tempDir()},
	}, process.HTTPCheck(d.URL()+readyPath), startTimeout)
}

// commandTimeout bounds Run.
const commandTimeout = time.Minute

// Run runs another command of the program with the bridge's config, and returns what it printed.
func (d *Daemon) Run(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, d.options.Binary, append(args, "--config", d.ConfigFile())...)
	command.Dir = d.options.Dir
	output, err := command.CombinedOutput()
	return string(output), err
}
