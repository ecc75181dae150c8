package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"postern/bridge"
	"postern/bridge/config"
)

func newAdmin() *cobra.Command {
	command := &cobra.Command{
		Use:   "admin",
		Short: "Get to the admin page",
		Args:  cobra.NoArgs,
	}
	command.AddCommand(newAdminPage())
	return command
}

func newAdminPage() *cobra.Command {
	var path string
	command := &cobra.Command{
		Use:   "page",
		Short: "Make a link that logs you in to the admin page, once",
		Long: "Prints an address for your browser. It logs in to the running bridge's admin page once, within five minutes, and ends the link that\n" +
			"this command made before. The bridge finds it in the database, so it works while the homeserver is away, too; otherwise the bot's\n" +
			"command admin-page does the same. The audit log then says \"command line\" for what is done. Give the link to nobody.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return err
			}
			link, err := bridge.NewAdminPageLink(command.Context(), cfg)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(command.OutOrStdout(), link)
			return err
		},
	}
	command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	return command
}
