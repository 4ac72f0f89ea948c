package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/controller"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpsched"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/events"
)

const (
	taskID     = "go-task"
	executorID = "go-executor"
	payload    = "said by the scheduler"
)

// work is what the framework launches once, and when that is over.
type work interface {
	launch(frameworkID string, offer mesos.Offer) mesos.Offer_Operation
	// over tells whether the last update has come, and what is wrong with it.
	over(status mesos.TaskStatus) (bool, error)
}

type framework struct {
	caller   calls.Caller
	work     work
	id       string
	launched bool
	finished error // nil once the work has ended as it should
	stop     context.CancelFunc
}

func runScheduler(master, codec string, work work) error {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	f := &framework{work: work, stop: stop, finished: errors.New("the work has not ended")}
	client := httpcli.New(
		httpcli.Endpoint("http://"+master+"/api/v1/scheduler"),
		httpcli.Codec(codecOf(codec)))
	f.caller = httpsched.NewCaller(client)
	info := &mesos.FrameworkInfo{User: "root", Name: "go", Roles: []string{"research"},
		Capabilities: []mesos.FrameworkInfo_Capability{
			{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE},
			{Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE},
		}}
	err := controller.Run(ctx, info, f.caller,
		controller.WithEventHandler(f.handlers()),
		controller.WithFrameworkID(func() string { return f.id }))
	if f.finished == nil {
		return nil
	}
	return fmt.Errorf("%v; %v", f.finished, err)
}

func (f *framework) call(ctx context.Context, call *scheduler.Call) error {
	resp, err := f.caller.Call(ctx, call.With(calls.Framework(f.id)))
	if resp != nil {
		resp.Close()
	}
	return err
}

func (f *framework) handlers() events.Handler {
	return events.Handlers{
		scheduler.Event_SUBSCRIBED: events.HandlerFunc(func(_ context.Context, e *scheduler.Event) error {
			f.id = e.GetSubscribed().GetFrameworkID().GetValue()
			fmt.Println("subscribed", f.id)
			return nil
		}),
		scheduler.Event_OFFERS: events.HandlerFunc(func(ctx context.Context, e *scheduler.Event) error {
			return f.take(ctx, e.GetOffers().GetOffers())
		}),
		scheduler.Event_UPDATE: events.HandlerFunc(func(ctx context.Context, e *scheduler.Event) error {
			return f.update(ctx, e.GetUpdate().GetStatus())
		}),
		scheduler.Event_ERROR: events.HandlerFunc(func(_ context.Context, e *scheduler.Event) error {
			f.stop()
			return errors.New(e.GetError().GetMessage())
		}),
	}
}

// take launches the work on the first offer and declines all others.
func (f *framework) take(ctx context.Context, offers []mesos.Offer) error {
	for i := range offers {
		offer := offers[i]
		if f.launched {
			if err := f.call(ctx, calls.Decline(offer.ID)); err != nil {
				return err
			}
			continue
		}
		f.launched = true
		accept := calls.Accept(
			calls.OfferOperations{f.work.launch(f.id, offer)}.WithOffers(offer.ID))
		if err := f.call(ctx, accept); err != nil {
			return err
		}
	}
	return nil
}

func some(offer mesos.Offer) []mesos.Resource {
	list := []mesos.Resource{resources.NewCPUs(0.1).Resource, resources.NewMemory(64).Resource,
		resources.NewDisk(8).Resource}
	for i := range list {
		list[i].AllocationInfo = &mesos.Resource_AllocationInfo{
			Role: offer.GetAllocationInfo().Role}
	}
	return list
}

// single is a task on an executor of the framework's own.
type single struct {
	codec string
}

func (s *single) launch(frameworkID string, offer mesos.Offer) mesos.Offer_Operation {
	self, _ := os.Executable()
	command := self + " executor " + s.codec
	return calls.OpLaunch(mesos.TaskInfo{
		Name: taskID, TaskID: mesos.TaskID{Value: taskID}, AgentID: offer.AgentID,
		Resources: some(offer), Data: []byte(payload),
		Executor: &mesos.ExecutorInfo{
			Type:        mesos.ExecutorInfo_CUSTOM,
			ExecutorID:  mesos.ExecutorID{Value: executorID},
			FrameworkID: &mesos.FrameworkID{Value: frameworkID},
			Command:     &mesos.CommandInfo{Value: &command},
			Resources:   some(offer),
		}})
}

func (s *single) over(status mesos.TaskStatus) (bool, error) {
	switch status.GetState() {
	case mesos.TASK_STARTING, mesos.TASK_RUNNING:
		return false, nil
	case mesos.TASK_FINISHED:
		if string(status.GetData()) != payload {
			return true, fmt.Errorf("data: expected %q, found %q", payload, status.GetData())
		}
		return true, nil
	default:
		return true, fmt.Errorf("the task ended as %v", status.GetState())
	}
}

// group is a task that fails and one that does not end, on the default executor.
type group struct {
	ended int
}

func (g *group) launch(frameworkID string, offer mesos.Offer) mesos.Offer_Operation {
	task := func(id, line string) mesos.TaskInfo {
		return mesos.TaskInfo{Name: id, TaskID: mesos.TaskID{Value: id}, AgentID: offer.AgentID,
			Resources: some(offer), Command: &mesos.CommandInfo{Value: &line}}
	}
	return calls.OpLaunchGroup(mesos.ExecutorInfo{
		Type:        mesos.ExecutorInfo_DEFAULT,
		ExecutorID:  mesos.ExecutorID{Value: executorID},
		FrameworkID: &mesos.FrameworkID{Value: frameworkID},
		Resources:   some(offer),
	}, task("fails", "echo here I fail; sleep 0.3; exit 3"), task("stays", "sleep 1000"))
}

func (g *group) over(status mesos.TaskStatus) (bool, error) {
	switch status.GetState() {
	case mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING:
		return false, nil
	case mesos.TASK_FAILED, mesos.TASK_KILLED:
		g.ended++
		return g.ended == 2, nil
	default:
		return true, fmt.Errorf("task %s ended as %v", status.TaskID.Value, status.GetState())
	}
}

func (f *framework) update(ctx context.Context, status mesos.TaskStatus) error {
	fmt.Println(status.TaskID.Value, status.GetState(), status.GetMessage(), string(status.GetData()))
	if len(status.GetUUID()) > 0 {
		ack := calls.Acknowledge(status.GetAgentID().Value, status.TaskID.Value, status.GetUUID())
		if err := f.call(ctx, ack); err != nil {
			return err
		}
	}
	over, err := f.work.over(status)
	if over {
		f.finished = err
		f.stop()
	}
	return nil
}
