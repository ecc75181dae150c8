// Command demo shows a conversation between a Matrix user and WhatsApp contacts: on a real homeserver, with the real
// bridge, the sandbox gatekeeper and WhatsApp clients that are not ours.
//
// With -check it plays the conversation by itself, checks what the servers saw, and exits 0 or 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"postern/testbed/homeserver"
	"postern/testbed/programs"
)

// checkTimeout bounds the demo that plays by itself, once everything is built.
const checkTimeout = 2 * time.Minute

// pictureTimeout is how long pictures may take besides.
const pictureTimeout = 2 * time.Minute

func main() {
	check := flag.Bool("check", false, "play the conversation alone and exit 0 or 1")
	pictures := flag.String("pictures", "", "write pictures of the phone page and the admin page into this folder")
	flag.Parse()
	// A second signal ends the program at once; the children die with it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := run(ctx, newView(os.Stdout), *check, *pictures)
	stop()
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Println("\nStopped. Nothing is left running.")
	case err != nil:
		fmt.Fprintln(os.Stderr, "\nThe demo failed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, v *view, check bool, pictures string) (err error) {
	builder, err := programs.NewBuilder(false)
	if err != nil {
		return err
	}
	if err = build(ctx, v, builder); err != nil {
		return err
	}
	if check {
		limit := checkTimeout
		if pictures != "" {
			limit += chartTime + pictureTimeout
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	scene, err := setUp(ctx, v, builder)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := scene.stack.Close(); closeErr != nil && !errors.Is(err, context.Canceled) {
			err = errors.Join(err, closeErr)
		}
	}()
	err = scene.play(ctx)
	if err == nil && pictures != "" {
		err = scene.takePictures(ctx, pictures)
	}
	if err != nil || check {
		if err == nil {
			v.print("", "  "+v.paint("The demo works.", green, bold))
		} else if !errors.Is(err, context.Canceled) {
			err = fmt.Errorf("%w\n%s", err, scene.stack.Logs())
		}
		return err
	}
	return scene.interact(ctx, os.Stdin)
}

// build makes the two programs that the demo starts. Both are kept in the build folder.
func build(ctx context.Context, v *view, builder *programs.Builder) error {
	v.title("Building")
	err := v.step("Dendrite", "a Matrix homeserver in Go, from its released source; the first time takes about a minute", func() error {
		_, err := builder.Homeserver(ctx, homeserver.Dendrite)
		return err
	})
	if err != nil {
		return err
	}
	return v.step("postern", "the bridge, and the sandbox that plays WhatsApp's servers", func() error {
		_, err := builder.Postern(ctx)
		return err
	})
}
