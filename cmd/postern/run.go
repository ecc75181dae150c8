package main

import (
	"errors"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"postern/bridge"
	"postern/bridge/config"
	"postern/bridge/troubles"
)

// gcPercent makes the garbage collector run at half the growth that it allows by default: the daemon mostly waits, and
// its memory is one of the figures that decide how many users a machine can serve.
const gcPercent = 50

func newRun() *cobra.Command {
	var path string
	command := &cobra.Command{
		Use:   "run",
		Short: "Run the bridge until it is interrupted",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) (err error) {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return err
			}
			recent := troubles.NewRecent(time.Now)
			log, closer, err := bridge.NewLogger(cfg.Logging, recent)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closer.Close()) }()
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(gcPercent)
			}
			daemon, err := bridge.New(command.Context(), cfg, version(), log)
			if err != nil {
				return err
			}
			daemon.Recent, daemon.ConfigFile = recent, path
			return daemon.Run(command.Context())
		},
	}
	command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	return command
}
