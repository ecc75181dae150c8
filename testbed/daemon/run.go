package daemon

import (
	"context"
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

// Start runs the bridge and returns when it takes messages. It may be stopped or killed and started again.
func (d *Daemon) Start(ctx context.Context) error {
	return d.Service.Start(ctx, process.Options{
		Name:    "bridge",
		Path:    d.options.Binary,
		Args:    []string{"run", "--config", d.ConfigFile()},
		Dir:     d.options.Dir,
		LogFile: d.LogFile(),
	}, process.HTTPCheck(d.URL()+readyPath), startTimeout)
}
