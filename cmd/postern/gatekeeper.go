package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"postern/bridge/config"
	"postern/gatekeeper"
)

const (
	gatekeeperConfigName = "gatekeeper.yaml"
	// gatekeeperStopTimeout is how long the sandbox may take to end.
	gatekeeperStopTimeout = 10 * time.Second
	// sandboxVersion is the protocol version that the sandbox is described with.
	sandboxVersion = "1.0.3"
)

func newGatekeeper() *cobra.Command {
	var path, level string
	command := &cobra.Command{
		Use:   "gatekeeper",
		Short: "Run the sandbox gatekeeper, for tests and for those without an agreement",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			server, err := loadGatekeeper(path, level)
			if err != nil {
				return err
			}
			if err = server.Start(command.Context()); err != nil {
				return err
			}
			<-command.Context().Done()
			ctx, cancel := context.WithTimeout(context.Background(), gatekeeperStopTimeout)
			defer cancel()
			return server.Stop(ctx)
		},
	}
	command.PersistentFlags().StringVarP(&path, "config", "c", gatekeeperConfigName, "the sandbox's config file")
	command.Flags().StringVar(&level, "log-level", zerolog.LevelInfoValue, "trace, debug, info, warn or error")
	command.AddCommand(
		&cobra.Command{
			Use:   "config",
			Short: "Print the commented example config of the sandbox",
			Args:  cobra.NoArgs,
			RunE: func(command *cobra.Command, _ []string) error {
				_, err := fmt.Fprint(command.OutOrStdout(), gatekeeper.ExampleConfig())
				return err
			},
		},
		&cobra.Command{
			Use:   "describe",
			Short: "Print what the bridge's config needs to know of the sandbox",
			Args:  cobra.NoArgs,
			RunE: func(command *cobra.Command, _ []string) error {
				entries, err := describeGatekeeper(path)
				if err != nil {
					return err
				}
				encoder := yaml.NewEncoder(command.OutOrStdout())
				return errors.Join(encoder.Encode(entries), encoder.Close())
			},
		},
	)
	return command
}

func loadGatekeeper(path, level string) (*gatekeeper.Server, error) {
	cfg, err := gatekeeper.LoadConfig(path)
	if err != nil {
		return nil, err
	}
	parsed, err := zerolog.ParseLevel(level)
	if err != nil {
		return nil, err
	}
	log := zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.RFC3339}).Level(parsed).With().Timestamp().Logger()
	return gatekeeper.New(cfg, log)
}

// describeGatekeeper makes an entry for the gatekeepers list of each partner's bridge. It makes the sandbox's root key
// if there is none yet.
func describeGatekeeper(path string) ([]config.Gatekeeper, error) {
	cfg, err := gatekeeper.LoadConfig(path)
	if err != nil {
		return nil, err
	}
	server, err := gatekeeper.New(cfg, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	root := server.RootKey()
	address := cfg.PublicAddress()
	keysURL := "http://" + address + "/.well-known/jwks"
	if cfg.PushIssuer == "" {
		keysURL = ""
	}
	entries := make([]config.Gatekeeper, 0, len(cfg.Partners))
	for _, partner := range cfg.Partners {
		entries = append(entries, config.Gatekeeper{
			ID:              string(cfg.Product),
			Name:            fmt.Sprintf("Sandbox (%s)", cfg.Product),
			Product:         string(cfg.Product),
			Integrator:      int(partner.Integrator),
			EnlistURL:       "http://" + address + "/3p/interop_reg",
			ChatURL:         "ws://" + address + "/ws/chat",
			MediaURL:        "http://" + address,
			RootKey:         hex.EncodeToString(root[:]),
			Audience:        partner.Audience,
			ProtocolVersion: sandboxVersion,
			PushIssuer:      cfg.PushIssuer,
			PushKeysURL:     keysURL,
		})
	}
	return entries, nil
}
