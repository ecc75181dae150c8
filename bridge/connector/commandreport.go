package connector

import (
	"strconv"
	"strings"

	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/id"
)

func reportCommand() *commands.FullHandler {
	return &commands.FullHandler{
		Func: reportContact, Name: "report", RequiresPortal: true,
		Help: commands.HelpMeta{
			Section: commands.HelpSectionChats, Args: "[_number of messages_] [block] [_what is wrong_]",
			Description: "Tell this server's admins about the contact of a chat: as an answer to a message, or with the newest messages, such as " +
				"`report 5 block they want money`. The admins read what you attach",
		},
	}
}

func reportContact(ce *commands.Event) {
	report := parseReport(ce.Args)
	if ce.ReplyTo != "" && report.Last == 0 {
		report.Messages = []id.EventID{ce.ReplyTo}
	}
	ce.Args = nil // they name nobody: the chat does
	client, jid, err := contactOfCommand(ce, "report")
	done := ""
	if err == nil {
		done, err = client.Report(ce.Ctx, jid, report)
	}
	answer(ce, done, err)
}

// parseReport reads what a user wrote after the command: a number, the word block, and their own words, all of which may be missing.
func parseReport(words []string) (report Report) {
	if len(words) > 0 {
		if number, err := strconv.Atoi(words[0]); err == nil {
			report.Last, words = number, words[1:]
		}
	}
	if len(words) > 0 && strings.EqualFold(words[0], "block") {
		report.Block, words = true, words[1:]
	}
	report.Reason = strings.Join(words, " ")
	return report
}
