// Package programs builds and finds what a test stack runs: the bridge, Dendrite, Synapse and the client on matrix-js-sdk. All of it lies in the
// repository's build folder, which belongs to no version and may be deleted at any time.
package programs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"postern/testbed/homeserver"
)

// BinaryVariable is the environment variable with the path of a bridge that is tested instead of one built from the sources: that of a
// package, or a script that runs one for another processor in an emulator.
const BinaryVariable = "POSTERN_BINARY"

const (
	// rootModule is the first line of the go.mod in the repository's root.
	rootModule = "module postern\n"
	// goTags is how everything is built: olm in Go instead of C.
	goTags = "goolm"

	dendritePackage = "github.com/element-hq/dendrite/cmd/dendrite"
	posternPackage  = "./cmd/postern"
)

var (
	// ErrNoRepository is returned when the working directory is not inside the repository.
	ErrNoRepository = errors.New("not inside the postern repository")
	// ErrNoSynapse is returned when Synapse's virtual environment was not made yet.
	ErrNoSynapse = errors.New("synapse is not installed: run \"make build/synapse\" in the repository first")
	// ErrNoJSClient is returned when matrix-js-sdk was not installed yet.
	ErrNoJSClient = errors.New("matrix-js-sdk is not installed: run \"make build/jsclient\" in the repository first")
)

// Builder builds programs into the build folder, each at most once. Its methods are safe for concurrent use.
type Builder struct {
	root string
	race bool

	lock  sync.Mutex
	built map[string]result // by name
}

// result is what became of a build. A program that could not be built is not tried again.
type result struct {
	path string
	err  error
}

// NewBuilder finds the repository around the working directory. With race set, the bridge is built with Go's race
// detector, under another file name.
func NewBuilder(race bool) (*Builder, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("failed to find the repository: %w", err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte(rootModule)) {
			return &Builder{root: dir, race: race, built: make(map[string]result)}, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil, ErrNoRepository
		}
		dir = parent
	}
}

// BuildDir is the folder for everything that is made.
func (b *Builder) BuildDir() string { return filepath.Join(b.root, "build") }

// Postern builds the bridge from the sources as they are at the first call, unless [BinaryVariable] names one.
func (b *Builder) Postern(ctx context.Context) (string, error) {
	if binary := os.Getenv(BinaryVariable); binary != "" {
		return given(binary)
	}
	name, flags := "postern", []string{"-tags", goTags}
	if b.race {
		name, flags = "postern-race", append(flags, "-race")
	}
	return b.build(ctx, b.root, name, posternPackage, flags)
}

// given returns the absolute path of a program that was named, for it is run in other folders.
func given(binary string) (string, error) {
	found, err := exec.LookPath(binary)
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if err != nil {
		return "", fmt.Errorf("failed to find the program of %s: %w", BinaryVariable, err)
	}
	return found, nil
}

// Dendrite builds the homeserver from the version that the testbed's go.mod names. The first time takes about a
// minute on two cores.
func (b *Builder) Dendrite(ctx context.Context) (string, error) {
	return b.build(ctx, filepath.Join(b.root, "testbed"), "dendrite", dendritePackage, nil)
}

// Homeserver returns what runs the kind of homeserver: see [homeserver.Options].Binary.
func (b *Builder) Homeserver(ctx context.Context, kind homeserver.Kind) (string, error) {
	if kind == homeserver.Synapse {
		return b.SynapsePython()
	}
	return b.Dendrite(ctx)
}

// SynapsePython returns the interpreter of the environment that the Makefile made.
func (b *Builder) SynapsePython() (string, error) {
	python := filepath.Join(b.BuildDir(), "synapse", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return "", fmt.Errorf("%w (%w)", ErrNoSynapse, err)
	}
	return python, nil
}

// JSClient returns how to run the client on matrix-js-sdk, which the Makefile installed: the Node that came with it, if this machine's
// own was too old, and the program with its options.
func (b *Builder) JSClient() (node string, args []string, err error) {
	dir := filepath.Join(b.BuildDir(), "jsclient")
	if _, err = os.Stat(filepath.Join(dir, "node_modules", "matrix-js-sdk")); err != nil {
		return "", nil, fmt.Errorf("%w (%w)", ErrNoJSClient, err)
	}
	if node, err = exec.LookPath(filepath.Join(dir, "node_modules", ".bin", "node")); err != nil {
		if node, err = exec.LookPath("node"); err != nil {
			return "", nil, fmt.Errorf("%w (%w)", ErrNoJSClient, err)
		}
	}
	// The program is a link to the sources. Its modules are beside the link.
	return node, []string{"--preserve-symlinks", "--preserve-symlinks-main", filepath.Join(dir, "main.mjs")}, nil
}

func (b *Builder) build(ctx context.Context, dir, name, pkg string, flags []string) (string, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if known, ok := b.built[name]; ok {
		return known.path, known.err
	}
	target := filepath.Join(b.BuildDir(), "bin", name)
	args := append([]string{"build", "-o", target}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = dir
	output, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("failed to build %s: %w\n%s", name, err, output)
	}
	b.built[name] = result{target, err}
	return target, err
}
