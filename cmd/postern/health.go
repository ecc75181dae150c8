package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"postern/bridge/admin"
	"postern/bridge/config"
)

var (
	errAdminOff = errors.New("admin.listen is empty, so the bridge cannot be asked: set it, such as to 127.0.0.1:29350")
	errNotReady = errors.New("the bridge is not ready")
)

func newHealth() *cobra.Command {
	var path string
	var live bool
	command := &cobra.Command{
		Use:   "health",
		Short: "Ask the running bridge whether it does its work",
		Long: "Asks the bridge at admin.listen of the config whether it is ready: whether the database, the homeserver and the gatekeepers\n" +
			"answer. The exit status is 0 if so, otherwise 1, with the reasons. It is meant for the health check of a container.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return err
			}
			if cfg.Admin.Listen == "" {
				return errAdminOff
			}
			ask, word := admin.ReadyPath, "ready"
			if live {
				ask, word = admin.LivePath, "running"
			}
			health, err := admin.Ask(command.Context(), cfg.Admin.Listen, ask)
			if err != nil {
				return err
			}
			if health.Ready {
				_, err = fmt.Fprintln(command.OutOrStdout(), word)
				return err
			}
			for _, problem := range health.Problems {
				fmt.Fprintln(command.OutOrStdout(), problem.Part, problem.Problem)
			}
			return errNotReady
		},
	}
	command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	command.Flags().BoolVar(&live, "live", false, "ask only whether it runs")
	return command
}
