package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"postern/bridge/config"
)

func newConfig() *cobra.Command {
	var markdown bool
	command := &cobra.Command{
		Use:   "config",
		Short: "Print the commented example config",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			text := config.Example()
			if markdown {
				text = config.Reference()
			}
			_, err := fmt.Fprint(command.OutOrStdout(), text)
			return err
		},
	}
	command.Flags().BoolVar(&markdown, "markdown", false, "print all keys as a document instead, with types and environment variables")
	var path string
	check := &cobra.Command{
		Use:   "check",
		Short: "Check a config, with what the environment sets, without starting anything",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return checkConfig(command, path) },
	}
	check.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	command.AddCommand(check)
	return command
}

func checkConfig(command *cobra.Command, path string) error {
	for _, name := range config.UnknownVariables(os.Environ()) {
		fmt.Fprintln(command.ErrOrStderr(), "the environment variable", name, "belongs to no key and is ignored")
	}
	if _, err := config.Load(path, os.Getenv); err != nil {
		return err
	}
	_, err := fmt.Fprintln(command.OutOrStdout(), path, "is fine")
	return err
}
