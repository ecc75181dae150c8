package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"postern/bridge/config"
	"postern/bridge/doctor"
)

func newDoctor() *cobra.Command {
	var path string
	var asJSON bool
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that goes wrong in practice, and say how to mend it",
		Long: "Checks the config and its files, the database, the homeserver in both directions, the registration, the public address as a\n" +
			"gatekeeper sees it, the gatekeepers, keys, disks and programs, and says what is wrong and what to do. It changes nothing. Run it\n" +
			"as the bridge's user. The bridge may be running; if it does not, doctor answers the homeserver's ping in its place for a moment.\n\n" +
			"ok: all is well. note: nothing is wrong, or it could not be looked at now. warning: it works, but not for ever, or not for everybody.\n" +
			"fault: something does not work.\n\n" +
			"The exit status is 1 if there is a fault, otherwise 0. --json writes a list of objects with check, status, text and remedy; the names of\n" +
			"checks do not change. The output names neither users nor secrets.",
		Example: "  sudo -u postern postern doctor --config /var/lib/postern/config.yaml\n  postern doctor --json | jq '.[] | select(.status == \"fault\")'",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			findings := examine(command.Context(), path)
			out := command.OutOrStdout()
			var err error
			if asJSON {
				encoder := json.NewEncoder(out)
				encoder.SetIndent("", "\t")
				err = encoder.Encode(findings)
			} else {
				err = printFindings(out, findings, isTerminal(out))
			}
			if err != nil {
				return err
			}
			return faultError(findings)
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

// faultError is what makes the exit status.
func faultError(findings []doctor.Finding) error {
	switch faults := count(findings, doctor.Fault); faults {
	case 0:
		return nil
	case 1:
		return errors.New("doctor found a fault")
	default:
		return fmt.Errorf("doctor found %d faults", faults)
	}
}

func count(findings []doctor.Finding, status doctor.Status) (number int) {
	for _, finding := range findings {
		if finding.Status == status {
			number++
		}
	}
	return number
}

// isTerminal tells whether people look at it, who did not ask for plain text (no-color.org).
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && isatty.IsTerminal(file.Fd()) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// marks stand for the statuses on a terminal. Elsewhere the words do.
var marks = map[doctor.Status]string{
	doctor.OK: "\x1b[32m✓\x1b[0m", doctor.Note: "\x1b[36mi\x1b[0m", doctor.Warning: "\x1b[33m!\x1b[0m", doctor.Fault: "\x1b[31m✗\x1b[0m",
}

// printFindings writes for people, by subject.
func printFindings(out io.Writer, findings []doctor.Finding, pretty bool) error {
	var text strings.Builder
	var subject string
	for _, finding := range findings {
		if finding.Subject() != subject {
			subject = finding.Subject()
			fmt.Fprintf(&text, "%s\n", subject)
		}
		mark, indent := fmt.Sprintf("%-7s", finding.Status), "        "
		if pretty {
			mark, indent = marks[finding.Status], "  "
		}
		fmt.Fprintf(&text, "  %s %s\n", mark, finding.Text)
		if finding.Remedy != "" {
			fmt.Fprintf(&text, "  %s→ %s\n", indent, finding.Remedy)
		}
	}
	fmt.Fprintf(&text, "\nfaults: %d, warnings: %d, notes: %d, ok: %d\n",
		count(findings, doctor.Fault), count(findings, doctor.Warning), count(findings, doctor.Note), count(findings, doctor.OK))
	_, err := io.WriteString(out, text.String())
	return err
}
