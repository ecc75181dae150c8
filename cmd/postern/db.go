package main

import (
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"postern/bridge"
	"postern/bridge/config"
)

func newDB() *cobra.Command {
	command := &cobra.Command{Use: "db", Short: "Move the database", Args: cobra.NoArgs}
	var path, to string
	migrate := &cobra.Command{
		Use:   "migrate",
		Short: "Move an SQLite database to PostgreSQL",
		Long: "Copies everything from the SQLite database of the config to an empty PostgreSQL database, in one transaction, and compares the\n" +
			"numbers of rows. Stop the bridge before. Afterwards the bridge does not start on the SQLite file any more, since both together\n" +
			"would use encryption keys twice; write the new database into the config.\n\n" +
			"Leave the password out of the address, where others on the machine can see it: PGPASSWORD and ~/.pgpass are read.",
		Example: "  createdb --encoding=UTF8 postern\n  postern db migrate --to 'postgres://postern@localhost/postern'",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return err
			}
			counts, err := bridge.Migrate(command.Context(), cfg, to)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(command.OutOrStdout(), 0, 0, 2, ' ', tabwriter.AlignRight)
			var all int64
			for _, count := range counts {
				all += count.Rows
				fmt.Fprintf(table, "%d\t  %s\n", count.Rows, count.Table)
			}
			fmt.Fprintf(table, "%d\t  rows in all, on both sides\n", all)
			if err = table.Flush(); err != nil {
				return err
			}
			_, err = fmt.Fprint(command.OutOrStdout(), "\nNow write into the config:\n\n    database:\n        type: postgres\n        uri: (the address, with the password)\n")
			return err
		},
	}
	migrate.Flags().StringVarP(&path, "config", "c", configName, "the config file, which names the SQLite database")
	migrate.Flags().StringVar(&to, "to", "", "the empty PostgreSQL database, such as postgres://postern@localhost/postern")
	if err := migrate.MarkFlagRequired("to"); err != nil {
		panic(err) // the flag is made above
	}
	command.AddCommand(migrate)
	return command
}
