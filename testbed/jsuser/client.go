package jsuser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"postern/testbed/process"
	"postern/testbed/record"
)

// maxLine bounds one line of the program's output, in bytes. Look answers with all events of a room.
const maxLine = 16 << 20

var (
	// ErrClient is wrapped by errors that the program reports.
	ErrClient = errors.New("matrix-js-sdk failed")
	errEnded  = errors.New("the client's program ended")
)

// client is one run of the program.
type client struct {
	process *process.Process
	input   io.WriteCloser
	output  sync.WaitGroup // reads until the program ends

	lock    sync.Mutex // also keeps lines whole
	calls   int
	waiting map[int]chan<- line // by call; nil when the program has ended
}

// line is one line of output: an answer to a call, or what is seen of an event.
type line struct {
	ID    int             `json:"id"`
	Value json.RawMessage `json:"value"`
	Error string          `json:"error"`
	*Sight
}

// run starts the program. What it sees goes into the log.
func run(options Options, seen *record.Log[*Sight]) (*client, error) {
	programIn, input, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	output, programOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, programIn.Close(), input.Close())
	}
	started, err := process.Start(process.Options{
		Name: "the client of " + options.Account.UserID, Path: options.Node, Args: options.Args,
		LogFile: filepath.Join(options.Dir, "log"), Stdin: programIn, Stdout: programOut,
	})
	if err != nil {
		return nil, errors.Join(err, input.Close(), output.Close())
	}
	c := &client{process: started, input: input, waiting: make(map[int]chan<- line)}
	seen.End(nil) // more may come than in the run before
	c.output.Go(func() { c.read(output, seen) })
	return c, nil
}

// read ends with the output.
func (c *client) read(output io.ReadCloser, seen *record.Log[*Sight]) {
	defer output.Close()
	scanner := bufio.NewScanner(output)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		var next line
		if err := json.Unmarshal(scanner.Bytes(), &next); err != nil {
			next = line{ID: next.ID, Error: fmt.Sprintf("failed to parse its output: %v", err)}
		}
		if next.Sight != nil {
			next.Sight.parse()
			seen.Add(next.Sight)
		} else {
			c.answered(next)
		}
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, answer := range c.waiting {
		close(answer)
	}
	c.waiting = nil
	seen.End(errEnded)
}

func (c *client) answered(answer line) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if waiting := c.waiting[answer.ID]; waiting != nil {
		waiting <- answer // has room for it
		delete(c.waiting, answer.ID)
	}
}

// call runs a verb and parses what it returns, unless into is nil.
func (c *client) call(ctx context.Context, verb string, options map[string]any, into any) error {
	answer, err := c.ask(verb, options)
	if err != nil {
		return fmt.Errorf("failed to ask matrix-js-sdk for %s: %w", verb, err)
	}
	select {
	case got, ok := <-answer:
		switch {
		case !ok:
			return fmt.Errorf("%w before it answered to %s", errEnded, verb)
		case got.Error != "":
			return fmt.Errorf("%w to %s: %s", ErrClient, verb, got.Error)
		case into == nil:
			return nil
		}
		return json.Unmarshal(got.Value, into)
	case <-ctx.Done():
		return fmt.Errorf("matrix-js-sdk did not answer to %s: %w", verb, ctx.Err())
	}
}

func (c *client) ask(verb string, options map[string]any) (<-chan line, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.waiting == nil {
		return nil, errEnded
	}
	c.calls++
	request := map[string]any{"id": c.calls, "verb": verb}
	for name, value := range options {
		request[name] = value
	}
	encoded, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	answer := make(chan line, 1)
	c.waiting[c.calls] = answer
	_, err = c.input.Write(append(encoded, '\n'))
	return answer, err
}

// stop lets the client write its store and end.
func (c *client) stop(ctx context.Context) error {
	err := c.call(ctx, "stop", nil, nil)
	if err == nil {
		select {
		case <-c.process.Done():
		case <-ctx.Done():
		}
	}
	c.process.Kill()
	c.output.Wait()
	return errors.Join(err, c.input.Close())
}
