package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"postern/bridge"
	"postern/bridge/config"
	"postern/provider"
)

func newKeys() *cobra.Command {
	var path string
	command := &cobra.Command{
		Use:   "keys",
		Short: "List, make and rotate the keys that sign identity tokens",
		Long: "Gatekeepers check identity tokens with the partner server's public keys. To replace the key: `postern keys make`\n" +
			"publishes a new one, and `postern keys rotate` signs with it once all gatekeepers can know it. The old key stays\n" +
			"published until its last token has expired, then it is removed. The bridge may go on running, and notices by itself.",
		Args: cobra.NoArgs,
	}
	command.PersistentFlags().StringVarP(&path, "config", "c", configName, "the config file")
	// with opens the keys for do and closes them.
	with := func(do func(ctx context.Context, out io.Writer, keys provider.KeyStore) error) func(*cobra.Command, []string) error {
		return func(command *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return err
			}
			keys, closeKeys, err := bridge.OpenKeys(command.Context(), cfg)
			if err != nil {
				return err
			}
			return errors.Join(do(command.Context(), command.OutOrStdout(), keys), closeKeys())
		}
	}
	var wait bool
	rotate := &cobra.Command{
		Use:   "rotate",
		Short: "Sign with the next key from now on",
		Args:  cobra.NoArgs,
		RunE: with(func(ctx context.Context, out io.Writer, keys provider.KeyStore) error {
			return rotateKeys(ctx, out, keys, wait, time.Now)
		}),
	}
	rotate.Flags().BoolVar(&wait, "wait", false, "wait until the next key may sign")
	command.AddCommand(
		&cobra.Command{
			Use:   "list",
			Short: "List the keys and what becomes of them",
			Args:  cobra.NoArgs,
			RunE:  with(listKeys),
		},
		&cobra.Command{
			Use:   "make",
			Short: "Make the next key and publish it",
			Args:  cobra.NoArgs,
			RunE:  with(makeKey),
		},
		rotate,
	)
	return command
}

// clockTime is how a time is printed.
func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// listKeys prints what is public of the keys.
func listKeys(ctx context.Context, out io.Writer, store provider.KeyStore) error {
	keys, err := store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STATE\tKEY\tMADE\t")
	for _, key := range keys {
		var note string
		switch key.State {
		case provider.KeyNext:
			note = "may sign from " + clockTime(key.Published.Add(provider.KeyLead))
		case provider.KeyActive:
			note = "signs"
		case provider.KeyRetired:
			note = "is published until " + clockTime(key.Retired.Add(provider.KeyTail))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", key.State, key.ID, clockTime(key.Created), note)
	}
	return table.Flush()
}

func makeKey(ctx context.Context, out io.Writer, store provider.KeyStore) error {
	key, err := provider.MakeNextKey(ctx, store, time.Now)
	if errors.Is(err, provider.ErrNextKeyExists) {
		return fmt.Errorf("%w; `postern keys rotate` makes it the active one", err)
	} else if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "made key %s, which is published from now on.\nIt may sign from %s: run `postern keys rotate` then.\n",
		key.ID, clockTime(key.Published.Add(provider.KeyLead)))
	return err
}

func rotateKeys(ctx context.Context, out io.Writer, store provider.KeyStore, wait bool, now func() time.Time) error {
	for {
		active, next, err := provider.RotateKeys(ctx, store, now)
		var early *provider.TooEarlyError
		switch {
		case err == nil:
			_, err = fmt.Fprintf(out, "key %s signs from now on.\nKey %s is retired, and published until %s.\n",
				next.ID, active.ID, clockTime(now().Add(provider.KeyTail)))
			return err
		case errors.Is(err, provider.ErrNoNextKey):
			return fmt.Errorf("%w: `postern keys make`", err)
		case !errors.As(err, &early):
			return err
		case !wait:
			return fmt.Errorf("%w; run the command again then, or with --wait", err)
		}
		fmt.Fprintf(out, "waiting until %s, when the next key may sign\n", clockTime(early.Ready))
		select {
		case <-time.After(early.Wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
