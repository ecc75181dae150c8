package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"postern/bridge/config"
	"postern/bridge/homeserver"
)

// initializer is one run of `postern init`.
type initializer struct {
	setup                         config.Setup
	dir, databaseType, gatekeeper string
	force, ask, offline           bool

	// found is what the homeserver said of itself; empty if it was not asked, or is down.
	found   homeserver.Identity
	command *cobra.Command
	prompts *prompter
}

// neededFlags have no default. Where nobody can be asked, they must be given.
var neededFlags = []string{"domain", "homeserver", "public-url", "gatekeeper"}

func newInit() *cobra.Command {
	i := &initializer{}
	command := &cobra.Command{
		Use:   "init",
		Short: "Write the config and the registrations for a new bridge",
		Long: "Writes config.yaml, registration.yaml and doublepuppet.yaml, all readable by their owner only, and says what to add to\n" +
			"the homeserver's configuration. On a terminal it asks for what the flags leave open. What exists is overwritten only\n" +
			"after asking, or with --force; a copy of it is kept.",
		Example: "  postern init\n" +
			"  postern init --homeserver http://localhost:8008 --domain example.org \\\n" +
			"      --public-url https://postern.example.org --gatekeeper gatekeeper.yaml --admin @me:example.org",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			i.command, i.prompts = command, newPrompter(command.InOrStdin(), command.OutOrStdout())
			return i.run(command.Context())
		},
	}
	flags := command.Flags()
	flags.StringVar(&i.dir, "dir", ".", "where to write the files")
	flags.BoolVar(&i.force, "force", false, "overwrite files that exist; copies of them are kept")
	flags.BoolVar(&i.ask, "ask", false, "ask for what the flags leave open, also if the input is no terminal")
	flags.BoolVar(&i.offline, "offline", false, "do not ask the homeserver what it is")
	flags.StringVar(&i.setup.HomeserverAddress, "homeserver", "", "where the bridge reaches the homeserver, such as http://localhost:8008")
	flags.StringVar(&i.setup.HomeserverDomain, "domain", "", "the homeserver's name, such as example.org")
	flags.StringVar(&i.setup.BridgeAddress, "address", "", "where the homeserver reaches the bridge (default: follows --listen)")
	flags.StringVar(&i.setup.Listen, "listen", "", "where the bridge listens for the homeserver, as host:port")
	flags.StringVar(&i.setup.PublicURL, "public-url", "", "where gatekeepers reach the partner server")
	flags.StringVar(&i.setup.PublicListen, "public-listen", "", "where the partner server listens, as host:port")
	flags.StringVar(&i.setup.AdminListen, "admin-listen", "", "where the admin page, health and metrics are served, as host:port")
	flags.StringVar(&i.gatekeeper, "gatekeeper", "", "a YAML file with one gatekeeper or a list of them")
	flags.StringArrayVar(&i.setup.Admins, "admin", nil, "Matrix ID of an administrator; may be repeated")
	flags.StringVar(&i.databaseType, "database-type", "", "sqlite or postgres")
	flags.StringVar(&i.setup.DatabaseURI, "database-uri", "", "a file name for sqlite, an address for postgres")
	flags.StringVar(&i.setup.LogLevel, "log-level", "", "trace, debug, info, warn or error")
	flags.StringVar(&i.setup.LogFile, "log-file", "", "a file to log to instead of standard error")
	flags.BoolVar(&i.setup.WithoutDoublePuppet, "no-double-puppet", false, "do not let the bridge act in the name of users")
	return command
}

func (i *initializer) run(ctx context.Context) (err error) {
	var missing []string
	for _, name := range neededFlags {
		if !i.given(name) {
			missing = append(missing, "--"+name)
		}
	}
	asks := i.ask || i.onTerminal()
	if len(missing) > 0 && !asks {
		return fmt.Errorf("missing: %s. Give them as flags, or run this on a terminal to be asked", strings.Join(missing, ", "))
	}
	i.setup.DatabaseType = config.DatabaseType(i.databaseType)
	if i.gatekeeper != "" {
		if i.setup.Gatekeepers, err = config.GatekeeperFile(i.gatekeeper); err != nil {
			return err
		}
	}
	existing, err := i.mayOverwrite(ctx, asks)
	if err != nil {
		return err
	}
	if len(missing) > 0 || i.ask {
		err = i.askAll(ctx)
	} else {
		err = i.meetHomeserver(ctx, asks)
	}
	if err != nil {
		return err
	}
	paths, err := i.write(existing)
	if err != nil {
		return err
	}
	i.say("\n%s\nIf it cannot read the files there, since they are for their owner only, give it copies that it owns.\n\n"+
		"Then start the bridge: sudo systemctl restart postern\n"+
		"or, without the service: postern run --config %[2]s\n"+
		"Let it be looked at: postern doctor --config %[2]s\n", i.found.Additions(paths[1:]), paths[0])
	return nil
}

func (i *initializer) say(format string, args ...any) {
	fmt.Fprintf(i.command.OutOrStdout(), format, args...)
}

// given tells whether a flag was set, which then is not asked for.
func (i *initializer) given(flag string) bool { return i.command.Flags().Changed(flag) }

func (i *initializer) onTerminal() bool {
	input, ok := i.command.InOrStdin().(*os.File)
	return ok && isatty.IsTerminal(input.Fd())
}

// mayOverwrite returns the files that will be replaced, if any, and an error if they must not be.
func (i *initializer) mayOverwrite(ctx context.Context, asks bool) ([]string, error) {
	existing, err := config.Existing(i.dir)
	if err != nil || len(existing) == 0 || i.force {
		return existing, err
	}
	if asks {
		yes, err := i.prompts.yes(ctx, strings.Join(existing, " and ")+" exist already. New ones have new tokens, "+
			"which the homeserver has to load; copies of the old ones are kept.", "overwrite", false)
		if err != nil || yes {
			return existing, err
		}
		return nil, errors.New("nothing was written")
	}
	return nil, fmt.Errorf("%s: %w; --force overwrites it and keeps a copy", existing[0], config.ErrExists)
}

// write makes the files and returns their absolute names, the config's first.
func (i *initializer) write(existing []string) ([]string, error) {
	if _, err := i.setup.Files(); err != nil {
		return nil, err // before anything is touched
	}
	for _, path := range existing {
		kept, err := config.KeepCopy(path, time.Now())
		if err != nil {
			return nil, err
		}
		i.say("kept %s as %s\n", path, kept)
	}
	i.say("\n")
	paths, err := i.setup.Write(i.dir, len(existing) > 0)
	if err != nil {
		return nil, err
	}
	for at, path := range paths {
		if paths[at], err = filepath.Abs(path); err != nil {
			return nil, err
		}
		i.say("wrote %s\n", paths[at])
	}
	return paths, nil
}
