package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"postern/bridge/config"
)

func newConfig() *cobra.Command {
	var check string
	command := &cobra.Command{
		Use:   "config",
		Short: "Print the commented example config, or check a config",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if check == "" {
				_, err := fmt.Fprint(command.OutOrStdout(), config.Example())
				return err
			}
			if _, err := config.Load(check, os.Getenv); err != nil {
				return err
			}
			_, err := fmt.Fprintln(command.OutOrStdout(), check, "is fine")
			return err
		},
	}
	command.Flags().StringVar(&check, "check", "", "a config file to check")
	return command
}
