package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"postern/bridge"
	bridgeconfig "postern/bridge/config"
	"postern/gatekeeper"
)

const (
	// gatekeeperConfigName is where the sandbox's config is looked for if nothing else is said.
	gatekeeperConfigName = "gatekeeper.yaml"
	// gatekeeperStopTimeout bounds how long connections may take to end.
	gatekeeperStopTimeout = 5 * time.Second
)

func newGatekeeper() *cobra.Command {
	var path, level string
	command := &cobra.Command{
		Use:   "gatekeeper",
		Short: "Run the sandbox gatekeeper, which plays WhatsApp on this machine",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return runGatekeeper(command.Context(), path, level)
		},
	}
	command.PersistentFlags().StringVarP(&path, "config", "c", gatekeeperConfigName, "the sandbox's config file")
	command.Flags().StringVar(&level, "log-level", "info", "trace, debug, info, warn or error")
	command.AddCommand(
		&cobra.Command{
			Use:   "config",
			Short: "Print a commented example config",
			Args:  cobra.NoArgs,
			RunE: func(command *cobra.Command, _ []string) error {
				_, err := fmt.Fprint(command.OutOrStdout(), gatekeeper.ExampleConfig())
				return err
			},
		},
		&cobra.Command{
			Use:   "describe",
			Short: "Print what belongs into the bridge's list of gatekeepers",
			Args:  cobra.NoArgs,
			RunE: func(command *cobra.Command, _ []string) error {
				config, err := gatekeeper.LoadConfig(path)
				if err != nil {
					return err
				}
				text, err := gatekeeper.Describe(config)
				if err != nil {
					return err
				}
				_, err = fmt.Fprint(command.OutOrStdout(), text)
				return err
			},
		},
	)
	return command
}

// runGatekeeper runs until ctx ends.
func runGatekeeper(ctx context.Context, path, level string) error {
	config, err := gatekeeper.LoadConfig(path)
	if err != nil {
		return err
	}
	log, closer, err := bridge.NewLogger(bridgeconfig.Logging{Level: level, Format: "text"})
	if err != nil {
		return err
	}
	server, err := gatekeeper.New(config, log)
	if err == nil {
		err = server.Start(ctx)
	}
	if err != nil {
		return errors.Join(err, closer.Close())
	}
	<-ctx.Done()
	stopCtx, cancel := context.WithTimeout(context.Background(), gatekeeperStopTimeout)
	defer cancel()
	return errors.Join(server.Stop(stopCtx), closer.Close())
}
