package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"maunium.net/go/mautrix/id"

	"postern/bridge"
	"postern/bridge/config"
)

func newExport() *cobra.Command {
	var path, output string
	command := &cobra.Command{
		Use:   "export USER",
		Short: "Write all that is stored about a user, as JSON",
		Long: "Writes what the bridge stores about a user: enlistments, what they agreed to, chats, contacts, and ids and times of messages.\n" +
			"It holds no messages and no private keys. The bridge may be running. Users get the same with the bot's command export.",
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			cfg, user, err := forUser(path, args[0])
			if err != nil {
				return err
			}
			content, err := bridge.ExportUser(command.Context(), cfg, user)
			if err != nil {
				return fmt.Errorf("%s: %w", user, err)
			}
			content = append(content, '\n')
			if output == "" {
				_, err = command.OutOrStdout().Write(content)
				return err
			}
			return writePrivate(output, content)
		},
	}
	command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	command.Flags().StringVarP(&output, "output", "o", "", "a new file to write to, with mode 0600, instead of standard output")
	return command
}

// writePrivate makes a file that only its owner can read. One that exists is left alone.
func writePrivate(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("failed to make the file: %w", err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("failed to write the file: %w", err)
	}
	return nil
}

func newErase() *cobra.Command {
	var path string
	var pending bool
	command := &cobra.Command{
		Use:   "erase USER",
		Short: "Let a user leave all gatekeepers, and erase their data",
		Long: "Marks a user as one who leaves. The bridge does the rest, since the gatekeepers have to be told and rooms to be left: if it runs,\n" +
			"within half a minute, otherwise when it starts the next time. The user is told. There is no way back.\n\n" +
			"With --pending it changes nothing and lists who left, or leaves, and what of them is not erased yet; then USER can be left out.",
		Args: func(command *cobra.Command, args []string) error {
			if pending {
				return cobra.MaximumNArgs(1)(command, args)
			}
			return cobra.ExactArgs(1)(command, args)
		},
		RunE: func(command *cobra.Command, args []string) error {
			if pending {
				return listPending(command, path, args)
			}
			cfg, user, err := forUser(path, args[0])
			if err != nil {
				return err
			}
			gatekeepers, err := bridge.EraseUser(command.Context(), cfg, user)
			if err != nil {
				return fmt.Errorf("%s: %w", user, err)
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "%s leaves %s. The bridge tells them so and erases the data; if it is not running, when it starts.\n",
				user, strings.Join(gatekeepers, ", "))
			return err
		},
	}
	command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	command.Flags().BoolVar(&pending, "pending", false, "list what is not erased yet, and when it is tried next")
	return command
}

// listPending prints what is not erased yet, of one user or of all.
func listPending(command *cobra.Command, path string, args []string) error {
	var user id.UserID
	var err error
	if len(args) > 0 {
		if user, err = parseUser(args[0]); err != nil {
			return err
		}
	}
	cfg, err := config.Load(path, os.Getenv)
	if err != nil {
		return err
	}
	pending, err := bridge.PendingErasures(command.Context(), cfg, user)
	if err != nil {
		return err
	}
	if len(pending) == 0 {
		_, err = fmt.Fprintln(command.OutOrStdout(), "Nothing is left to be erased.")
	}
	now := time.Now()
	for _, one := range pending {
		if _, err = fmt.Fprintf(command.OutOrStdout(), "%s: %s\n", one.User, one.Sentence(now)); err != nil {
			break
		}
	}
	return err
}

// forUser loads the config and checks a Matrix ID.
func forUser(path, text string) (*config.Config, id.UserID, error) {
	user, err := parseUser(text)
	if err != nil {
		return nil, "", err
	}
	cfg, err := config.Load(path, os.Getenv)
	return cfg, user, err
}

func parseUser(text string) (id.UserID, error) {
	user := id.UserID(text)
	if _, _, err := user.ParseAndValidateRelaxed(); err != nil {
		return "", fmt.Errorf("%.64q is not a Matrix ID, such as @name:example.org", text)
	}
	return user, nil
}
