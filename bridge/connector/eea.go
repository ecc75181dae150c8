package connector

import (
	"context"
	"fmt"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/id"

	"postern/bridge/audit"
	"postern/bridge/consent"
	"postern/database"
)

// Some agreements cover only people in the European Economic Area. Who has to declare that and did not, because nobody asked
// when they enlisted, counts as one who withdrew it and is suspended.

// eeaCommand withdraws the declaration to be in the EEA, or makes it again.
func (n botCommands) eeaCommand() *commands.FullHandler {
	return &commands.FullHandler{
		Func: n.eea,
		Name: "eea",
		Help: commands.HelpMeta{
			Section:     commands.HelpSectionAuth,
			Description: "Declare that you live in the European Economic Area, or that you do not any more",
			Args:        "`confirm` or `withdraw`",
		},
	}
}

func (n botCommands) eea(ce *commands.Event) {
	change := map[string]func(context.Context, *bridgev2.User, *Gatekeeper, *database.Enlistment) (string, error){
		"confirm": n.confirmEEA, "withdraw": n.withdrawEEA,
	}[ce.RawArgs]
	if change == nil {
		ce.Reply("Usage: `$cmdprefix eea confirm` or `$cmdprefix eea withdraw`")
		return
	}
	asked := false
	err := n.eachEEA(ce.Ctx, ce.User, func(entry *Gatekeeper, enlistment *database.Enlistment) error {
		asked = true
		answer, err := change(ce.Ctx, ce.User, entry, enlistment)
		if err != nil {
			ce.Log.Err(err).Str("gatekeeper", entry.ID).Msg("Failed to change a declaration to be in the EEA")
			answer = TextBridgeProblem
		}
		ce.Reply("%s", answer)
		return nil
	})
	if err != nil {
		ce.Log.Err(err).Msg("Failed to look for a user's enlistments")
		ce.Reply("%s", TextBridgeProblem)
	} else if !asked {
		ce.Reply("%s", textNobodyAsksEEA)
	}
}

const textNobodyAsksEEA = "You are not enlisted with anyone who asks for this declaration."

// eachEEA does something with the user's enlistments that ask for the declaration, until there is an error.
func (n *Network) eachEEA(ctx context.Context, user *bridgev2.User, do func(*Gatekeeper, *database.Enlistment) error) error {
	enlistments, err := n.enlistments.OfUser(ctx, user.MXID.String())
	if err != nil {
		return err
	}
	for _, enlistment := range enlistments {
		entry := n.gatekeeper(enlistment.Gatekeeper)
		if entry == nil || !entry.EEADeclaration || enlistment.State != database.Enlisted {
			continue
		}
		if err = do(entry, enlistment); err != nil {
			return err
		}
	}
	return nil
}

// withdrawEEA does what the config wants done then.
func (n *Network) withdrawEEA(
	ctx context.Context, _ *bridgev2.User, entry *Gatekeeper, enlistment *database.Enlistment,
) (string, error) {
	if err := n.enlistments.Withdraw(ctx, enlistment.Account, time.Now()); err != nil {
		return "", err
	}
	n.audit.Note(ctx, audit.EEAWithdraw, id.UserID(enlistment.UserID), audit.Of(enlistment))
	if !entry.EEASuspend {
		return fmt.Sprintf(textLeaveNow, entry.Name), n.leave(ctx, enlistment)
	}
	defer n.enlisting.WithLock(keyOf(enlistment))()
	if client := n.client(loginID(enlistment)); client != nil {
		client.end()
		client.Disconnect()
		client.login.BridgeState.Send(suspendedState(entry.Name))
	}
	return fmt.Sprintf("Your chats on %[1]s are suspended: nothing is sent or received. Write `eea confirm` if you live in the "+
		"European Economic Area again, or `logout` to leave. After 30 days %[1]s forgets you.", entry.Name), nil
}

// confirmEEA makes the declaration anew and connects.
func (n *Network) confirmEEA(
	ctx context.Context, user *bridgev2.User, entry *Gatekeeper, enlistment *database.Enlistment,
) (string, error) {
	if enlistment.DeclaredEEA() {
		return "You have declared that already.", nil
	}
	if _, err := n.enlist(ctx, user, entry.Gatekeeper, answers{consentAt: enlistment.ConsentAt, eeaAt: time.Now()}); err != nil {
		return "", err
	}
	return "Thank you. Your chats on " + entry.Name + " go on. You declared:\n\n" +
		consent.Text(consent.EEA, consent.Current(consent.EEA), n.consentValues(entry.Name, user.MXID)), nil
}

// noteEEA notes in the audit log that a user made the declaration.
func (n *Network) noteEEA(ctx context.Context, user id.UserID, gatekeeper string) {
	version := fmt.Sprintf("version %d", consent.Current(consent.EEA))
	n.audit.Note(ctx, audit.EEADeclare, user, audit.About{User: user, Gatekeeper: gatekeeper, Subject: version})
}
