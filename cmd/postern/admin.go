package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"postern/bridge"
	"postern/bridge/config"
	"postern/bridge/users"
)

func newUsers() *cobra.Command {
	var path string
	var asJSON, asCSV bool
	command := &cobra.Command{
		Use:   "users [SEARCH]",
		Short: "List who is enlisted",
		Long: "Lists the enlistments: user, gatekeeper, state, since when, when last connected, how many contacts the user blocks, and whether an\n" +
			"admin suspended them. SEARCH is a part of the Matrix ID, a gatekeeper, a state (enlisting, enlisted, leaving, lapsed) or suspended.\n" +
			"The bridge may be running.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return err
			}
			found, err := bridge.ListUsers(command.Context(), cfg, strings.Join(args, ""))
			if err != nil {
				return err
			}
			switch out := command.OutOrStdout(); {
			case asJSON:
				return users.WriteJSON(out, found)
			case asCSV:
				return users.WriteCSV(out, found)
			default:
				for _, user := range found {
					if _, err = fmt.Fprintln(out, user.Line()); err != nil {
						return err
					}
				}
				return nil
			}
		},
	}
	command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	command.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	command.Flags().BoolVar(&asCSV, "csv", false, "write comma-separated values")
	command.MarkFlagsMutuallyExclusive("json", "csv")
	return command
}

func newSuspend() *cobra.Command {
	var path string
	command := &cobra.Command{
		Use:   "suspend USER REASON",
		Short: "Disconnect a user, and refuse what they write",
		Long: "Suspends a user of the homeserver at all gatekeepers, until unsuspend. They are told so, with the reason. Nothing is erased, and they\n" +
			"may still leave and erase their data. If the bridge runs, it follows within half a minute, otherwise when it starts. A gatekeeper\n" +
			"forgets who is not connected for 30 days; who comes back after that has to enlist again, and keeps the chats.",
		Args: cobra.MinimumNArgs(2),
		RunE: func(command *cobra.Command, args []string) error {
			cfg, user, err := forUser(path, args[0])
			if err != nil {
				return err
			}
			if err = bridge.SuspendUser(command.Context(), cfg, user, strings.Join(args[1:], " ")); err != nil {
				return fmt.Errorf("%s: %w", user, err)
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "%s is suspended.\n", user)
			return err
		},
	}
	command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	return command
}

func newUnsuspend() *cobra.Command {
	var path string
	command := &cobra.Command{
		Use:   "unsuspend USER",
		Short: "End a suspension",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			cfg, user, err := forUser(path, args[0])
			if err != nil {
				return err
			}
			if err = bridge.UnsuspendUser(command.Context(), cfg, user); err != nil {
				return fmt.Errorf("%s: %w", user, err)
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "%s is not suspended any more.\n", user)
			return err
		},
	}
	command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	return command
}
