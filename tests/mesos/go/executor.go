package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/mesos/mesos-go/api/v1/lib/executor/calls"
	"github.com/mesos/mesos-go/api/v1/lib/executor/config"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpexec"
	"github.com/pborman/uuid"
)

type executorState struct {
	cfg    config.Config
	sender calls.Sender
	last   []byte // uuid of the terminal update
}

// runExecutor runs each task by sending its data back, and ends when the terminal update is
// acknowledged or the agent says so.
func runExecutor(codec string) error {
	cfg, err := config.FromEnv()
	if err != nil {
		return err
	}
	endpoint := url.URL{Scheme: "http", Host: cfg.AgentEndpoint, Path: "/api/v1/executor"}
	client := httpcli.New(
		httpcli.Endpoint(endpoint.String()), httpcli.Codec(codecOf(codec)))
	ids := []executor.CallOpt{calls.Framework(cfg.FrameworkID), calls.Executor(cfg.ExecutorID)}
	e := &executorState{cfg: cfg, sender: calls.SenderWith(httpexec.NewSender(client.Send), ids...)}
	subscriber := calls.SenderWith(httpexec.NewSender(client.Send, httpcli.Close(true)), ids...)
	stream, err := subscriber.Send(context.Background(),
		calls.NonStreaming(calls.Subscribe(nil, nil)))
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		var event executor.Event
		if err := stream.Decode(&event); err == io.EOF {
			return errors.New("the agent closed the stream")
		} else if err != nil {
			return err
		}
		if done, err := e.handle(&event); done || err != nil {
			return err
		}
	}
}

func (e *executorState) handle(event *executor.Event) (bool, error) {
	switch event.GetType() {
	case executor.Event_LAUNCH:
		task := event.GetLaunch().GetTask()
		if _, err := e.update(task, mesos.TASK_RUNNING, nil); err != nil {
			return false, err
		}
		last, err := e.update(task, mesos.TASK_FINISHED, task.GetData())
		e.last = last
		return false, err
	case executor.Event_ACKNOWLEDGED:
		return string(event.GetAcknowledged().GetUUID()) == string(e.last), nil
	case executor.Event_SHUTDOWN:
		return true, nil
	case executor.Event_ERROR:
		return true, errors.New(event.GetError().GetMessage())
	}
	return false, nil
}

func (e *executorState) update(task mesos.TaskInfo, state mesos.TaskState, data []byte) ([]byte, error) {
	id := []byte(uuid.NewRandom())
	message := fmt.Sprintf("%v says %v", e.cfg.ExecutorID, state)
	status := mesos.TaskStatus{
		TaskID:     task.TaskID,
		State:      &state,
		Source:     mesos.SOURCE_EXECUTOR.Enum(),
		ExecutorID: &mesos.ExecutorID{Value: e.cfg.ExecutorID},
		UUID:       id,
		Message:    &message,
		Data:       data,
	}
	answer, err := e.sender.Send(context.Background(), calls.NonStreaming(calls.Update(status)))
	if answer != nil {
		answer.Close()
	}
	return id, err
}
