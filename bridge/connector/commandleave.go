package connector

import (
	"fmt"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2/commands"

	"postern/database"
)

// logoutCommand takes the place of bridgev2's, which says that all is done before anybody was told.
func (n botCommands) logoutCommand() *commands.FullHandler {
	return &commands.FullHandler{
		Func: n.logout,
		Name: "logout",
		Help: commands.HelpMeta{
			Section:     commands.HelpSectionAuth,
			Description: "Leave a gatekeeper, and erase your keys and chats there",
			Args:        "[_gatekeeper_]",
		},
	}
}

func (n botCommands) logout(ce *commands.Event) {
	enlistments, err := n.enlistments.OfUser(ce.Ctx, ce.User.MXID.String())
	if err != nil {
		ce.Log.Err(err).Msg("Failed to look for a user's enlistments")
		ce.Reply("%s", TextBridgeProblem)
		return
	}
	var chosen []*database.Enlistment
	var names []string
	for _, enlistment := range enlistments {
		names = append(names, fmt.Sprintf("* `%s` (%s)", enlistment.Gatekeeper, n.gatekeeperName(enlistment.Gatekeeper)))
		if len(ce.Args) == 0 || strings.EqualFold(ce.Args[0], enlistment.Gatekeeper) || ce.Args[0] == enlistment.Login {
			chosen = append(chosen, enlistment)
		}
	}
	switch {
	case len(enlistments) == 0:
		ce.Reply("You are not enlisted with anyone.")
	case len(chosen) != 1:
		ce.Reply("Usage: `$cmdprefix logout <gatekeeper>`\n\nYou are enlisted with:\n\n%s", strings.Join(names, "\n"))
	default:
		n.leaveAll(ce, chosen)
	}
}

// leaveAll lets a user leave; what becomes of it they are told when it is known.
func (n botCommands) leaveAll(ce *commands.Event, enlistments []*database.Enlistment) {
	for _, enlistment := range enlistments {
		if enlistment.State == database.Leaving {
			ce.Reply("You are leaving %s already. I will tell you when it is done. `erase pending` shows what is left.", n.gatekeeperName(enlistment.Gatekeeper))
			continue
		}
		// The answer is a promise, so it comes when there is no way back, and before the news of how it went.
		if err := n.markLeaving(ce.Ctx, enlistment); err != nil {
			ce.Log.Err(err).Msg("Failed to let a user leave")
			ce.Reply("%s", TextBridgeProblem)
			continue
		}
		ce.Reply(textLeaveNow, n.gatekeeperName(enlistment.Gatekeeper))
		n.goOnLeaving(enlistment)
	}
}

// eraseCommand asks once more and then lets the user leave everywhere.
func (n botCommands) eraseCommand() *commands.FullHandler {
	return &commands.FullHandler{
		Func: func(ce *commands.Event) {
			if strings.EqualFold(ce.RawArgs, "pending") {
				n.sayPending(ce)
				return
			}
			ce.Reply("%s", textEraseQuestion)
			commands.StoreCommandState(ce.User, &commands.CommandState{
				Action: "Erasing", Next: commands.MinimalCommandHandlerFunc(n.eraseConfirmed),
			})
		},
		Name: "erase",
		Help: commands.HelpMeta{
			Section:     commands.HelpSectionAuth,
			Description: "Leave all gatekeepers, and erase what the bridge stores of you; or see what is not erased yet",
			Args:        "[`pending`]",
		},
	}
}

// sayPending tells users what is not erased yet.
func (n botCommands) sayPending(ce *commands.Event) {
	configured := func(gatekeeper string) bool { return n.gatekeeper(gatekeeper) != nil }
	pending, err := n.dataOf().Pending(ce.Ctx, ce.User.MXID, configured)
	if err != nil {
		ce.Log.Err(err).Msg("Failed to look what is not erased yet")
		ce.Reply("%s", TextBridgeProblem)
		return
	}
	ce.Reply("%s", textPending(pending, time.Now()))
}

func (n botCommands) eraseConfirmed(ce *commands.Event) {
	commands.StoreCommandState(ce.User, nil)
	if answer, err := parseAnswer(ce.RawArgs); err != nil || answer != answerYes {
		ce.Reply("Nothing is erased.")
		return
	}
	enlistments, err := n.enlistments.OfUser(ce.Ctx, ce.User.MXID.String())
	if err != nil {
		ce.Log.Err(err).Msg("Failed to look for a user's enlistments")
		ce.Reply("%s", TextBridgeProblem)
		return
	}
	n.leaveAll(ce, enlistments)
	ce.Reply("%s", textWhatStays)
}
