package connector

import (
	"errors"
	"strings"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2/commands"
)

// refusal is why something that a user wanted is not done: a sentence for them, and not a fault of the bridge. Whoever asked in
// whatever way, by a command or the provisioning interface, reads the same.
type refusal string

// Error is the sentence.
func (r refusal) Error() string { return string(r) }

// sentence is what a user reads about an error; all that is no refusal is the bridge's own trouble, and has to be logged.
func sentence(err error) (text string, fault bool) {
	var why refusal
	if errors.As(err, &why) {
		return string(why), false
	}
	return TextBridgeProblem, true
}

// answer replies to a command with a sentence, or with why there is none.
func answer(ce *commands.Event, text string, err error) {
	if err != nil {
		var fault bool
		if text, fault = sentence(err); fault {
			zerolog.Ctx(ce.Ctx).Err(err).Msg("A command failed")
		}
	}
	ce.Reply("%s", text)
}

// cutWord bounds a user's own word in an answer.
func cutWord(word string) string {
	const most = 64
	if len(word) > most {
		return strings.ToValidUTF8(word[:most], "") + "…" // without half letters
	}
	return word
}

const textNotEnlisted = "You are not enlisted. Write `login` to begin."

// AsSentence makes one of an error that is for people.
func AsSentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
