package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
)

var errNoCurl = errors.New("curl is the baseline for files and was not found: install the package curl")

// curl is the program, which carries files between a server and the disk.
type curl struct{ path string }

func findCurl() (*curl, error) {
	path, err := exec.LookPath("curl")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoCurl, err)
	}
	return &curl{path}, nil
}

// get stores what is at the address in a file, which is replaced. token is an access token, "" if none is needed.
func (c *curl) get(ctx context.Context, url, token, file string) error {
	return c.run(ctx, token, "--output", file, url)
}

// post uploads a file.
func (c *curl) post(ctx context.Context, url, token, file string) error {
	return c.run(ctx, token, "--request", http.MethodPost, "--upload-file", file, "--output", "/dev/null", url)
}

// run fails with what curl says if the server does not answer with success. The token is not shown in the list of processes.
func (c *curl) run(ctx context.Context, token string, args ...string) error {
	args = append([]string{"--silent", "--show-error", "--fail", "--globoff", "--header", "@-"}, args...)
	command := exec.CommandContext(ctx, c.path, args...)
	if token != "" {
		command.Stdin = strings.NewReader("Authorization: Bearer " + token + "\n")
	}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("curl failed: %w: %s", err, output)
	}
	return nil
}
