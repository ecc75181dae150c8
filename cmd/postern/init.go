package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"postern/bridge/config"
)

func newInit() *cobra.Command {
	var setup config.Setup
	var dir, databaseType, gatekeepers string
	var force bool
	command := &cobra.Command{
		Use:   "init",
		Short: "Write the config and the registrations for a new bridge",
		Long: "Writes config.yaml, registration.yaml and doublepuppet.yaml, all readable by their owner only, and says what to add to\n" +
			"the homeserver's configuration. What exists is not overwritten without --force.",
		Example: "  postern init --homeserver http://localhost:8008 --domain example.org \\\n" +
			"      --public-url https://postern.example.org --gatekeeper gatekeeper.yaml --admin @me:example.org",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) (err error) {
			setup.DatabaseType = config.DatabaseType(databaseType)
			if gatekeepers != "" {
				if setup.Gatekeepers, err = config.GatekeeperFile(gatekeepers); err != nil {
					return err
				}
			}
			paths, err := setup.Write(dir, force)
			if err != nil {
				return err
			}
			for i, path := range paths {
				if paths[i], err = filepath.Abs(path); err != nil {
					return err
				}
				fmt.Fprintln(command.OutOrStdout(), "wrote", paths[i])
			}
			fmt.Fprintf(command.OutOrStdout(), "\n%s\nThen run: postern run --config %s\n", config.HomeserverHint(paths[1:]), paths[0])
			return nil
		},
	}
	flags := command.Flags()
	flags.StringVar(&dir, "dir", ".", "where to write the files")
	flags.BoolVar(&force, "force", false, "overwrite files that exist")
	flags.StringVar(&setup.HomeserverAddress, "homeserver", "", "where the bridge reaches the homeserver, such as http://localhost:8008")
	flags.StringVar(&setup.HomeserverDomain, "domain", "", "the homeserver's name, such as example.org")
	flags.StringVar(&setup.BridgeAddress, "address", "", "where the homeserver reaches the bridge (default: follows --listen)")
	flags.StringVar(&setup.Listen, "listen", "", "where the bridge listens for the homeserver, as host:port")
	flags.StringVar(&setup.PublicURL, "public-url", "", "where gatekeepers reach the partner server")
	flags.StringVar(&setup.PublicListen, "public-listen", "", "where the partner server listens, as host:port")
	flags.StringVar(&setup.AdminListen, "admin-listen", "", "where health and metrics are served, as host:port")
	flags.StringVar(&gatekeepers, "gatekeeper", "", "a YAML file with one gatekeeper or a list of them")
	flags.StringArrayVar(&setup.Admins, "admin", nil, "Matrix ID of an administrator; may be repeated")
	flags.StringVar(&databaseType, "database-type", "", "sqlite or postgres")
	flags.StringVar(&setup.DatabaseURI, "database-uri", "", "a file name for sqlite, an address for postgres")
	flags.StringVar(&setup.LogLevel, "log-level", "", "trace, debug, info, warn or error")
	flags.StringVar(&setup.LogFile, "log-file", "", "a file to log to instead of standard error")
	flags.BoolVar(&setup.WithoutDoublePuppet, "no-double-puppet", false, "do not let the bridge act in the name of users")
	for _, name := range []string{"homeserver", "domain", "public-url", "gatekeeper"} {
		if err := command.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is made above
		}
	}
	return command
}
