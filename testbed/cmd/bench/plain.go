package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"postern/testbed/cmd/bench/report"
	"postern/testbed/leak"
	"postern/testbed/stack"
)

var errNotWatched = errors.New("the file was there before the disk was looked at")

// plainSearch looks for plain parts of a file in what the servers have on the disk, and in what the bridge has open, also
// under no name.
type plainSearch struct {
	stack   *stack.Stack
	scanner *leak.Scanner

	// looks are how often the bridge's files were read while a file was on its way.
	looks    int
	bytes    int64
	findings []leak.Finding
}

func newPlainSearch(s *stack.Stack, file *payload) (*plainSearch, error) {
	scanner, err := leak.NewScanner(leak.Secret{What: "a part of the file", Value: []byte(file.mark)})
	return &plainSearch{stack: s, scanner: scanner}, err
}

// watch sends the file and looks at the bridge again and again until the receiver has the message. It fails if that was too
// fast to look even once.
func (p *plainSearch) watch(ctx context.Context, way *transfer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, _, err := way.pass(ctx)
		done <- err
	}()
	for looks := 0; ; looks++ {
		if err := p.look("bridge"); err != nil {
			cancel()
			return errors.Join(err, <-done)
		}
		select {
		case err := <-done:
			if err == nil && looks == 0 {
				err = fmt.Errorf("%s: %w", way.name, errNotWatched)
			}
			p.looks += looks
			return err
		default:
		}
	}
}

// look reads all files of the parts, such as bridge, and those that the bridge has open.
func (p *plainSearch) look(parts ...string) error {
	for _, part := range parts {
		findings, read, err := p.scanner.Tree(p.stack.Dir(part))
		if err != nil {
			return err
		}
		p.findings = append(p.findings, findings...)
		p.bytes += read
	}
	open, err := p.stack.Bridge.OpenFiles()
	if err != nil {
		return err
	}
	for _, file := range open {
		content, readErr := io.ReadAll(file)
		err = errors.Join(err, readErr, file.Close())
		p.findings = append(p.findings, p.scanner.Content(file.Name(), content)...)
		p.bytes += int64(len(content))
	}
	return err
}

func (p *plainSearch) figure() report.Figure {
	return report.Figure{
		Name: fmt.Sprintf("plain parts of the file on the disk, looked at %d times meanwhile", p.looks), Unit: "findings",
		Value: float64(len(p.findings)), Baseline: float64(p.bytes) / (1 << 20), BaselineName: "MiB read",
		Target: &report.Target{Subject: report.Value, Number: 0},
	}
}
