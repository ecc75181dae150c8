package main

import (
	"fmt"
	"os"
	"strings"
	"time"

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
	upgrade := &cobra.Command{
		Use:   "upgrade",
		Short: "Add the keys that a config of an older version lacks, and keep a copy of it",
		Long: "Adds the keys of this version's example that the config does not have, with their comments and defaults, each beside its\n" +
			"neighbours. Every line that is there stays as it is. No value changes: keys that are missing have their defaults anyway.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return upgradeConfig(command, path) },
	}
	for _, command := range []*cobra.Command{check, upgrade} {
		command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	}
	command.AddCommand(check, upgrade)
	return command
}

func upgradeConfig(command *cobra.Command, path string) error {
	added, kept, err := config.UpgradeFile(path, time.Now())
	if err != nil {
		return err
	}
	if len(added) == 0 {
		_, err = fmt.Fprintln(command.OutOrStdout(), path, "has every key already")
		return err
	}
	_, err = fmt.Fprintf(command.OutOrStdout(), "added %s\nkept the old one as %s\n", strings.Join(added, ", "), kept)
	return err
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
