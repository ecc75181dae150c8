package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"postern/bridge"
	"postern/bridge/config"
	"postern/bridge/trace"
)

var errNoLog = errors.New("logging.file is empty, so the log is elsewhere; give it as a file or by a pipe, " +
	"such as: journalctl -u postern -o cat | postern trace ID -")

func newTrace() *cobra.Command {
	var path string
	command := &cobra.Command{
		Use:   "trace ID [LOG...]",
		Short: "Follow one message through the log and the database",
		Long: "Shows the way of one message, both ways, by the id of its Matrix event or by its id in the chat channel: what the log says, in\n" +
			"order and with the times in between, and what the database knows now. The bridge may be running.\n\n" +
			"The log is the file of logging.file with its rotated ones, or the files that are named; - is standard input:\n\n" +
			"    journalctl -u postern -o cat | postern trace ID -\n\n" +
			"At the level info each message has one line, when it is done; debug has every step.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return err
			}
			logs := logArgs{names: args[1:], input: command.InOrStdin(), folder: filepath.Dir(path)}
			return traceMessage(command.Context(), cfg, args[0], logs, command.OutOrStdout())
		},
	}
	command.Flags().StringVarP(&path, "config", "c", configName, "the config file")
	return command
}

// logArgs is where the command line says that the log is.
type logArgs struct {
	names  []string
	input  io.Reader // what - is
	folder string    // of the bridge: a place for input
}

func traceMessage(ctx context.Context, cfg *config.Config, id string, logs logArgs, out io.Writer) error {
	if err := trace.CheckID(id); err != nil {
		return err
	}
	report := traceReport{cfg: cfg, id: id}
	var more []string
	if report.stored, report.storedErr = bridge.TraceStored(ctx, cfg, id); report.stored != nil {
		more = report.stored.IDs()
	}
	sources, end, err := logs.sources(cfg)
	if err == nil {
		report.story, err = trace.Follow(id, more, sources)
		err = errors.Join(err, end())
	}
	report.logErr = err
	if report.storedErr != nil && report.logErr != nil {
		return errors.Join(report.logErr, report.storedErr)
	}
	return report.write(out)
}

// sources opens what was named, or the log of the config. The caller calls end.
func (l logArgs) sources(cfg *config.Config) (sources []trace.Source, end func() error, err error) {
	end = func() error { return nil }
	if len(l.names) == 0 {
		if cfg.Logging.File == "" {
			return nil, end, errNoLog
		}
		sources, err = trace.Files(cfg.Logging.File)
		return sources, end, err
	}
	for _, name := range l.names {
		if name != "-" {
			sources = append(sources, trace.File(name))
			continue
		}
		if len(l.names) > 1 {
			return nil, end, fmt.Errorf("standard input and files at once: %w", errTwoLogs)
		}
		source, end, err := trace.Spool(l.input, l.folder)
		return []trace.Source{source}, end, err
	}
	return sources, end, nil
}

var errTwoLogs = errors.New("give one of them")
