#!/usr/bin/env escript
%% The peer of the transport benchmark: `sink NAME`, or `source NAME SINK WARM_UP_MS MS BYTES...`.
%% One process sends binaries to one registered process of the other node; the counter counts, and echoes when asked.
-mode(compile).

main(["sink", Name]) ->
    start(Name),
    register(sink, self()),
    sink(0);
main(["source", Name, Sink, WarmUp, Time | Sizes]) ->
    start(Name),
    Node = list_to_atom(Sink),
    ok = await(Node, 100),
    [one_way({sink, Node}, list_to_integer(Size), list_to_integer(WarmUp), list_to_integer(Time)) || Size <- Sizes],
    round_trip({sink, Node}, 128, list_to_integer(WarmUp), list_to_integer(Time)).

start(Name) ->
    _ = os:cmd("epmd -daemon"),
    {ok, _} = net_kernel:start([list_to_atom(Name), longnames]),
    erlang:set_cookie(node(), bench).

await(_, 0) -> timeout;
await(Node, Left) ->
    case net_adm:ping(Node) of
        pong ->
            case rpc:call(Node, erlang, whereis, [sink]) of
                Pid when is_pid(Pid) -> ok;
                _ -> timer:sleep(50), await(Node, Left - 1)
            end;
        pang -> timer:sleep(50), await(Node, Left - 1)
    end.

sink(Count) ->
    receive
        {count, From} -> From ! {count, Count}, sink(Count);
        {echo, From, Binary} -> From ! {echo, Binary}, sink(Count);
        _ -> sink(Count + 1)
    end.

one_way(To, Size, WarmUp, Time) ->
    Binary = binary:copy(<<0>>, Size),
    blast(To, Binary, now_ms() + WarmUp),
    {Count0, T0} = {count(To), now_ms()},
    blast(To, Binary, now_ms() + Time),
    {Count1, T1} = {count(To), now_ms()},
    io:format("frames ~b ~.1f~n", [Size, (Count1 - Count0) * 1000 / (T1 - T0)]).

blast(To, Binary, End) ->
    burst(To, Binary, 2000),
    case now_ms() < End of
        true -> blast(To, Binary, End);
        false -> ok
    end.

burst(_, _, 0) -> ok;
burst(To, Binary, Left) -> To ! Binary, burst(To, Binary, Left - 1).

count(To) ->
    To ! {count, self()},
    receive {count, Count} -> Count end.

round_trip(To, Size, WarmUp, Time) ->
    Binary = binary:copy(<<0>>, Size),
    _ = echoes(To, Binary, now_ms() + WarmUp, []),
    Times = lists:sort(echoes(To, Binary, now_ms() + Time, [])),
    io:format("p50 ~b ~.1f~n", [Size, lists:nth(length(Times) div 2 + 1, Times) / 1000]).

echoes(To, Binary, End, Times) ->
    T0 = erlang:monotonic_time(nanosecond),
    To ! {echo, self(), Binary},
    receive {echo, Binary} -> ok end,
    T1 = erlang:monotonic_time(nanosecond),
    case now_ms() < End of
        true -> echoes(To, Binary, End, [T1 - T0 | Times]);
        false -> [T1 - T0 | Times]
    end.

now_ms() -> erlang:monotonic_time(millisecond).
