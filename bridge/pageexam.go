package bridge

import (
	"context"
	"sync"
	"time"

	"postern/bridge/adminpage"
	"postern/bridge/doctor"
)

// examiner lets doctor look at the installation for the admin page. That takes longer than a browser waits, so it is done beside, once
// at a time, and what was found is kept.
type examiner struct {
	lock     sync.Mutex
	running  bool
	at       time.Time
	findings []doctor.Finding
}

// Examine implements adminpage.Bridge.
func (p *pageData) Examine() {
	e := &p.examiner
	e.lock.Lock()
	defer e.lock.Unlock()
	if e.running {
		return
	}
	e.running = true
	p.network.Spawn(func(ctx context.Context) {
		findings := doctor.Examine(ctx, doctor.Options{Config: p.cfg, ConfigFile: p.ConfigFile, Database: p.raw})
		e.lock.Lock()
		defer e.lock.Unlock()
		e.running, e.at, e.findings = false, time.Now(), findings
	})
}

// Examination implements adminpage.Bridge.
func (p *pageData) Examination() adminpage.Examination {
	e := &p.examiner
	e.lock.Lock()
	defer e.lock.Unlock()
	shown := adminpage.Examination{Running: e.running, At: e.at}
	for _, finding := range e.findings {
		shown.Findings = append(shown.Findings, adminpage.Finding{
			Check: finding.Check, Status: string(finding.Status), Text: finding.Text, Remedy: finding.Remedy,
		})
	}
	return shown
}
