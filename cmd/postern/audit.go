package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"postern/bridge"
	"postern/bridge/config"
)

func newAudit() *cobra.Command {
	var path, sinceText string
	var asJSON, verify bool
	command := &cobra.Command{
		Use:   "audit",
		Short: "Show who enlisted, left, blocked, reported, suspended and erased",
		Long: "Shows the audit log, oldest first: when, what, who did it, and to whom. It holds ids and no content. With --verify it checks instead\n" +
			"that no entry was changed or removed, and prints the hash of the last one: who keeps that elsewhere can see later whether the end\n" +
			"is still there. The bridge may be running.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return err
			}
			since, err := parseSince(sinceText, time.Now())
			if err != nil {
				return err
			}
			out := command.OutOrStdout()
			if verify {
				count, head, err := bridge.VerifyAudit(command.Context(), cfg)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(out, "All %d entries are as they were written. The last has the hash %x.\n", count, head)
				return err
			}
			return bridge.ReadAudit(command.Context(), cfg, since, func(entry bridge.AuditEntry) error {
				entry.At = entry.At.UTC()
				if asJSON {
					return json.NewEncoder(out).Encode(entry)
				}
				_, err := fmt.Fprintln(out, auditLine(entry))
				return err
			})
		},
	}
	command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	command.Flags().StringVar(&sinceText, "since", "", "only entries since a time, such as 2026-01-31 or 7d")
	command.Flags().BoolVar(&asJSON, "json", false, "write JSON, one entry a line")
	command.Flags().BoolVar(&verify, "verify", false, "check that nothing was changed or removed")
	return command
}

func auditLine(entry bridge.AuditEntry) string {
	actor := entry.Actor
	if actor == "" {
		actor = "the bridge"
	}
	line := fmt.Sprintf("%s %s by %s", entry.At.Format(time.RFC3339), entry.Kind, actor)
	for _, part := range []struct{ word, value string }{{"user", entry.UserID}, {"gatekeeper", entry.Gatekeeper}, {"subject", entry.Subject}} {
		if part.value != "" {
			line += fmt.Sprintf(" %s %q", part.word, part.value)
		}
	}
	return line
}

var errSince = errors.New("--since is not a time: write 2026-01-31, 2026-01-31T12:00:00Z, or 7d or 12h for a time before now")

// parseSince reads a date, a time, or a duration before now in hours or days; "" is the beginning.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	for suffix, unit := range map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour} {
		if count, ok := strings.CutSuffix(text, suffix); ok {
			if number, err := strconv.ParseUint(count, 10, 16); err == nil {
				return now.Add(-time.Duration(number) * unit), nil
			}
		}
	}
	return time.Time{}, errSince
}
