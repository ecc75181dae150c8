package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxAnswer bounds one answer to a question, in bytes.
const maxAnswer = 4 << 10

var (
	errNoAnswer   = errors.New("the input ended before all questions were answered; nothing was written")
	errLongAnswer = fmt.Errorf("an answer has at most %d characters", maxAnswer)
)

// question asks for one value.
type question struct {
	// about explains what is asked for, in one line.
	about string
	// name stands before the answer.
	name string
	// fallback is taken for an empty answer; it is checked like any other.
	fallback string
	// check says what is wrong with an answer. The question is then asked again.
	check func(answer string) error
}

// prompter asks line by line, so that it works on every terminal, with a screen reader and with a pipe. It is not safe for concurrent use.
type prompter struct {
	in  *bufio.Reader
	out io.Writer
}

func newPrompter(in io.Reader, out io.Writer) *prompter {
	return &prompter{in: bufio.NewReaderSize(in, maxAnswer), out: out}
}

// ask returns an answer that passed the check. It fails at the end of the input, and when the context ends.
func (p *prompter) ask(ctx context.Context, q question) (string, error) {
	fmt.Fprintf(p.out, "\n%s\n", q.about)
	for {
		if q.fallback == "" {
			fmt.Fprintf(p.out, "%s: ", q.name)
		} else {
			fmt.Fprintf(p.out, "%s [%s]: ", q.name, q.fallback)
		}
		answer, err := p.line(ctx)
		if err == nil {
			if answer == "" {
				answer = q.fallback
			}
			if err = q.check(answer); err == nil {
				return answer, nil
			}
		} else if !errors.Is(err, errLongAnswer) {
			fmt.Fprintln(p.out)
			return "", err
		}
		fmt.Fprintf(p.out, "  %s\n", err)
	}
}

// yes asks a question that is answered with yes or no.
func (p *prompter) yes(ctx context.Context, about, name string, fallback bool) (bool, error) {
	words := map[string]bool{"yes": true, "y": true, "no": false, "n": false}
	q := question{about: about, name: name, fallback: "no", check: func(answer string) error {
		if _, ok := words[strings.ToLower(answer)]; !ok {
			return errors.New("write yes or no")
		}
		return nil
	}}
	if fallback {
		q.fallback = "yes"
	}
	answer, err := p.ask(ctx, q)
	return words[strings.ToLower(answer)], err
}

// line reads one line without the spaces around it. A read cannot be interrupted, so when the context ends it is left behind; the program
// ends then.
func (p *prompter) line(ctx context.Context) (string, error) {
	type result struct {
		text string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		text, err := p.read()
		read <- result{text, err}
	}()
	select {
	case got := <-read:
		return got.text, got.err
	case <-ctx.Done():
		return "", errors.New("interrupted; nothing was written")
	}
}

func (p *prompter) read() (string, error) {
	text, err := p.in.ReadSlice('\n')
	answer := strings.TrimSpace(string(text))
	for errors.Is(err, bufio.ErrBufferFull) { // the rest of a line that is too long
		if _, err = p.in.ReadSlice('\n'); err == nil {
			err = errLongAnswer
		}
	}
	if errors.Is(err, io.EOF) {
		if answer != "" {
			return answer, nil // the last line needs no end
		}
		return "", errNoAnswer
	}
	return answer, err
}
