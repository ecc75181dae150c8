package connector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/id"

	"postern/bridge/consent"
)

// GetLoginFlows implements bridgev2.NetworkConnector: one flow for every gatekeeper.
func (n *Network) GetLoginFlows() []bridgev2.LoginFlow {
	flows := make([]bridgev2.LoginFlow, 0, len(n.Gatekeepers))
	for _, entry := range n.Gatekeepers {
		flows = append(flows, bridgev2.LoginFlow{
			ID:          entry.ID,
			Name:        entry.Name,
			Description: fmt.Sprintf("Enlist with %s, to exchange messages with people there", entry.Name),
		})
	}
	return flows
}

// CreateLogin implements bridgev2.NetworkConnector. It refuses users of other homeservers before anything is made for
// them; the partner server would refuse them a token too.
func (n *Network) CreateLogin(_ context.Context, user *bridgev2.User, flow string) (bridgev2.LoginProcess, error) {
	if user.MXID.Homeserver() != n.Domain {
		return nil, forbidden(TextForeignUser(n.Domain))
	}
	entry := n.gatekeeper(flow)
	if entry == nil {
		return nil, bridgev2.RespError(mautrix.MNotFound.WithMessage(textUnknownFlow))
	}
	if reason, banned := n.suspended.reason(user.MXID); banned {
		return nil, forbidden(textBanned(reason))
	}
	return &loginProcess{network: n, user: user, gatekeeper: entry}, nil
}

// loginProcess explains, asks for consent and, where the agreement demands it, for a declaration, and enlists. Nothing is
// stored before all is answered.
type loginProcess struct {
	network    *Network
	user       *bridgev2.User
	gatekeeper *Gatekeeper
	answers    answers
}

// answers are what a user agreed to and when; a zero time is none.
type answers struct{ consentAt, eeaAt time.Time }

var _ bridgev2.LoginProcessUserInput = (*loginProcess)(nil)

const (
	stepConsent  = "org.postern.consent"
	stepEEA      = "org.postern.eea"
	stepEnlisted = "org.postern.enlisted"
	fieldConsent = "consent"
	fieldEEA     = "eea"

	answerYes = "yes"
	answerNo  = "no"
)

// Start implements bridgev2.LoginProcess.
func (l *loginProcess) Start(context.Context) (*bridgev2.LoginStep, error) {
	return l.question(stepConsent, fieldConsent, consent.Enlist, "Write `yes` if you agree, `no` if you do not."), nil
}

// question is a step that is answered with yes or no.
func (l *loginProcess) question(step, field string, kind consent.Kind, explanation string) *bridgev2.LoginStep {
	return &bridgev2.LoginStep{
		Type:         bridgev2.LoginStepTypeUserInput,
		StepID:       step,
		Instructions: consent.Text(kind, consent.Current(kind), l.network.consentValues(l.gatekeeper.Name, l.user.MXID)),
		UserInputParams: &bridgev2.LoginUserInputParams{Fields: []bridgev2.LoginInputDataField{{
			Type:        bridgev2.LoginInputFieldTypeSelect,
			ID:          field,
			Name:        "answer",
			Description: explanation,
			Options:     []string{answerYes, answerNo},
			Validate:    parseAnswer,
		}}},
	}
}

func (n *Network) consentValues(gatekeeper string, user id.UserID) consent.Values {
	return consent.Values{Gatekeeper: gatekeeper, User: user.String(), Domain: n.Domain}
}

// Cancel implements bridgev2.LoginProcess. There is nothing to undo before the last answer.
func (l *loginProcess) Cancel() {}

var errAnswer = errors.New("please write `yes` or `no`")

func parseAnswer(text string) (string, error) {
	switch answer := strings.ToLower(strings.Trim(text, " \t\n.!\"'`")); answer {
	case answerYes, answerNo:
		return answer, nil
	default:
		return "", errAnswer
	}
}

// SubmitUserInput implements bridgev2.LoginProcessUserInput.
func (l *loginProcess) SubmitUserInput(ctx context.Context, input map[string]string) (*bridgev2.LoginStep, error) {
	field, given, refusal := fieldConsent, &l.answers.consentAt, textDeclined
	if !l.answers.consentAt.IsZero() {
		field, given, refusal = fieldEEA, &l.answers.eeaAt, textNotInEEA(l.gatekeeper.Name)
	}
	answer, err := parseAnswer(input[field])
	if err != nil {
		return nil, bridgev2.WrapRespErr(err, mautrix.MInvalidParam)
	} else if answer != answerYes {
		return nil, forbidden(refusal)
	}
	*given = time.Now()
	if l.gatekeeper.EEADeclaration && l.answers.eeaAt.IsZero() {
		return l.question(stepEEA, fieldEEA, consent.EEA, "Write `yes` if you live there, `no` if you do not."), nil
	}
	if reason, banned := l.network.suspended.reason(l.user.MXID); banned {
		return nil, forbidden(textBanned(reason))
	}
	login, err := l.network.enlist(ctx, l.user, l.gatekeeper.Gatekeeper, l.answers)
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Str("gatekeeper", l.gatekeeper.ID).Msg("Failed to enlist a user")
		return nil, bridgev2.RespError{
			ErrCode:    mautrix.MUnknown.ErrCode,
			Err:        textEnlistFailed(l.gatekeeper.Gatekeeper, err),
			StatusCode: http.StatusBadGateway,
		}
	}
	return &bridgev2.LoginStep{
		Type:           bridgev2.LoginStepTypeComplete,
		StepID:         stepEnlisted,
		Instructions:   textWelcome(l.gatekeeper.Gatekeeper),
		CompleteParams: &bridgev2.LoginCompleteParams{UserLoginID: login.ID, UserLogin: login},
	}, nil
}

// forbidden is an error whose text the user reads, in the bot's answer as well as through the provisioning interface.
func forbidden(text string) error {
	return bridgev2.RespError{ErrCode: mautrix.MForbidden.ErrCode, Err: text, StatusCode: http.StatusForbidden}
}
