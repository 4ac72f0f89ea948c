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

type framework struct {
	caller   calls.Caller
	codec    string
	id       string
	launched bool
	finished error // nil once the task has finished with its payload
	stop     context.CancelFunc
}

func runScheduler(master, codec string) error {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	f := &framework{codec: codec, stop: stop, finished: errors.New("the task has not finished")}
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

// take launches the task on the first offer and declines all others.
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
			calls.OfferOperations{calls.OpLaunch(f.task(offer))}.WithOffers(offer.ID))
		if err := f.call(ctx, accept); err != nil {
			return err
		}
	}
	return nil
}

func (f *framework) task(offer mesos.Offer) mesos.TaskInfo {
	self, _ := os.Executable()
	some := func() []mesos.Resource {
		list := []mesos.Resource{
			resources.NewCPUs(0.1).Resource, resources.NewMemory(64).Resource}
		for i := range list {
			list[i].AllocationInfo = &mesos.Resource_AllocationInfo{
				Role: offer.GetAllocationInfo().Role}
		}
		return list
	}
	command := self + " executor " + f.codec
	return mesos.TaskInfo{
		Name: taskID, TaskID: mesos.TaskID{Value: taskID}, AgentID: offer.AgentID,
		Resources: some(), Data: []byte(payload),
		Executor: &mesos.ExecutorInfo{
			Type:        mesos.ExecutorInfo_CUSTOM,
			ExecutorID:  mesos.ExecutorID{Value: executorID},
			FrameworkID: &mesos.FrameworkID{Value: f.id},
			Command:     &mesos.CommandInfo{Value: &command},
			Resources:   some(),
		}}
}

func (f *framework) update(ctx context.Context, status mesos.TaskStatus) error {
	fmt.Println(status.GetState(), status.GetMessage(), string(status.GetData()))
	if len(status.GetUUID()) > 0 {
		ack := calls.Acknowledge(status.GetAgentID().Value, status.TaskID.Value, status.GetUUID())
		if err := f.call(ctx, ack); err != nil {
			return err
		}
	}
	switch status.GetState() {
	case mesos.TASK_STARTING, mesos.TASK_RUNNING:
		return nil
	case mesos.TASK_FINISHED:
		f.finished = nil
		if string(status.GetData()) != payload {
			f.finished = fmt.Errorf("data: expected %q, found %q", payload, status.GetData())
		}
	default:
		f.finished = fmt.Errorf("the task ended as %v", status.GetState())
	}
	f.stop()
	return nil
}
