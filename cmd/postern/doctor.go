package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"postern/bridge/config"
	"postern/bridge/doctor"
)

var errFaults = errors.New("there are faults")

func newDoctor() *cobra.Command {
	var path string
	var asJSON bool
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that goes wrong in practice, and say how to mend it",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			findings := examine(command.Context(), path)
			out := command.OutOrStdout()
			var err error
			if asJSON {
				encoder := json.NewEncoder(out)
				encoder.SetIndent("", "\t")
				err = encoder.Encode(findings)
			} else {
				err = printFindings(out, findings)
			}
			if err == nil && doctor.Worst(findings) == doctor.Fault {
				err = errFaults
			}
			return err
		},
	}
	command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	command.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return command
}

// examine examines what a config file describes, which may be wrong itself.
func examine(ctx context.Context, path string) []doctor.Finding {
	cfg, err := config.Load(path, os.Getenv)
	if err != nil {
		return doctor.BadConfig(err)
	}
	return doctor.Examine(ctx, doctor.Options{Config: cfg, ConfigFile: path})
}

func printFindings(out io.Writer, findings []doctor.Finding) error {
	for _, finding := range findings {
		if _, err := fmt.Fprintf(out, "%-8s %s: %s\n", finding.Status, finding.Check, finding.Text); err != nil {
			return err
		}
		if finding.Remedy != "" {
			fmt.Fprintln(out, "        ", finding.Remedy)
		}
	}
	return nil
}
