package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"postern/bridge"
	"postern/bridge/config"
)

func newBackup() *cobra.Command {
	var path, output string
	command := &cobra.Command{
		Use:   "backup",
		Short: "Copy the database, while the bridge runs or not",
		Long: "Writes a consistent copy of an SQLite database to a new file with mode 0600, and checks it. The bridge goes on meanwhile. The secret\n" +
			"key is not in it, and belongs to another place: without it the copy cannot be read, and nobody can ever be the bot and the contacts again,\n" +
			"whose identities in Matrix are made from it. It never changes, so one copy is enough. For PostgreSQL it says what to do instead.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return err
			}
			if output == "" {
				output = "postern-" + time.Now().UTC().Format("20060102-150405") + ".backup"
			}
			if err = bridge.Backup(command.Context(), cfg, output); err != nil {
				return err
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "wrote %s. Keep a copy of the secret key in another place: it never changes, and nothing can replace it.\n", output)
			return err
		},
	}
	command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	command.Flags().StringVarP(&output, "output", "o", "", "the new file (default: postern-<time>.backup)")
	return command
}

var errRestoreWhat = errors.New("name the backup, or write --in-place for a database that is in place")

func newRestore() *cobra.Command {
	var path string
	var inPlace bool
	command := &cobra.Command{
		Use:   "restore [BACKUP]",
		Short: "Put a backup in place, with new encryption keys for everybody",
		Long: "Makes the SQLite database of the config from a backup. There must be none yet: move the old one away first, and keep it.\n\n" +
			"A backup is older than what was in use, and encryption keys that were used since would be used again. So all users have to\n" +
			"enlist again, with `login`; they are told so when the bridge starts. Their chats go on in the same rooms, and contacts see that\n" +
			"the security code changed.\n\n" +
			"With --in-place the database that is there is treated so: one of PostgreSQL after pg_restore, or one from a snapshot of the disk.\n\n" +
			"To move to another machine you need neither: stop the bridge, copy its folder, and never start the old one again.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 0 != inPlace {
				return errRestoreWhat
			}
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return err
			}
			var lapsed int64
			if inPlace {
				lapsed, err = bridge.RestoreInPlace(command.Context(), cfg)
			} else {
				lapsed, err = bridge.Restore(command.Context(), cfg, args[0])
			}
			if errors.Is(err, os.ErrExist) {
				return fmt.Errorf("%w: move it away first, and keep it until all is well", err)
			} else if err != nil {
				return err
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "the database is in place. Enlistments that users have to renew with `login`: %d.\n"+
				"They are told so when the bridge starts. Who left since the backup was made is back: erase them with `postern erase`.\n", lapsed)
			return err
		},
	}
	command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	command.Flags().BoolVar(&inPlace, "in-place", false, "the old copy is in place already")
	return command
}
