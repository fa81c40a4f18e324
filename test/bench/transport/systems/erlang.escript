#!/usr/bin/env escript
%% Erlang's side of the transport benchmark.
%%   sink NAME RECEIVERS                          runs until it is killed
%%   oneway WARM_UP_MS MS SENDERS BYTES           prints messages per second, and us of processor time per message
%%   call WARM_UP_MS MS BYTES RATE                prints p50 and p99 in us; RATE 0: one call at a time
-mode(compile).
-define(SINK, 'sink@127.0.0.1').

main(["sink", Name, Receivers]) ->
    start(list_to_atom(Name)),
    [register(name(N), spawn(fun() -> receiver(0) end)) || N <- lists:seq(1, list_to_integer(Receivers))],
    register(ready, self()),
    receive stop -> ok end;
main(["oneway" | Arguments]) ->
    [WarmUp, Time, Senders, Bytes] = [list_to_integer(A) || A <- Arguments],
    connect(),
    Binary = binary:copy(<<"a">>, Bytes),
    Numbers = lists:seq(1, Senders),
    Pids = [spawn(fun() -> blast({name(N), ?SINK}, Binary) end) || N <- Numbers],
    timer:sleep(WarmUp),
    {Count0, T0, Cpu0} = mark(Numbers),
    timer:sleep(Time),
    {Count1, T1, Cpu1} = mark(Numbers),
    [exit(Pid, kill) || Pid <- Pids],
    Count = Count1 - Count0,
    io:format("~.3f ~.6f~n", [Count * 1.0e9 / (T1 - T0), (Cpu1 - Cpu0) * 10000 / Count]);
main(["call" | Arguments]) ->
    [WarmUp, Time, Bytes, Rate] = [list_to_integer(A) || A <- Arguments],
    connect(),
    Binary = binary:copy(<<"a">>, Bytes),
    To = {name(1), ?SINK},
    _ = calls(Rate, To, Binary, WarmUp),
    Times = lists:sort(calls(Rate, To, Binary, Time)),
    Quantile = fun(Share) -> lists:nth(trunc(length(Times) * Share) + 1, Times) / 1000 end,
    io:format("~.3f ~.3f~n", [Quantile(0.5), Quantile(0.99)]).

start(Name) ->
    {ok, _} = net_kernel:start([Name, longnames]),
    erlang:set_cookie(node(), bench).

connect() ->
    start('source@127.0.0.1'),
    ok = await(200).

await(0) -> timeout;
await(Left) ->
    Ready = net_adm:ping(?SINK) =:= pong andalso is_pid(rpc:call(?SINK, erlang, whereis, [ready])),
    case Ready of
        true -> ok;
        false -> timer:sleep(50), await(Left - 1)
    end.

name(N) -> list_to_atom("sink" ++ integer_to_list(N)).

receiver(Count) ->
    receive
        {count, From} -> From ! {count, Count}, receiver(Count);
        {echo, From, Tag, Binary} -> From ! {echo, Tag, Binary}, receiver(Count);
        Binary when is_binary(Binary) -> receiver(Count + 1)
    end.

blast(To, Binary) -> To ! Binary, blast(To, Binary).

%% What all receivers have counted, when, and the processor time of both nodes until then, in ticks of 10 ms.
mark(Numbers) ->
    [{name(N), ?SINK} ! {count, self()} || N <- Numbers],
    Count = lists:sum([receive {count, C} -> C end || _ <- Numbers]),
    Now = now_ns(),
    {Count, Now, ticks(file:read_file("/proc/self/stat")) + ticks(rpc:call(?SINK, file, read_file, ["/proc/self/stat"]))}.

ticks({ok, Stat}) ->
    [_, Rest] = binary:split(Stat, <<") ">>),
    Fields = binary:split(Rest, <<" ">>, [global]),
    binary_to_integer(lists:nth(12, Fields)) + binary_to_integer(lists:nth(13, Fields)).

calls(0, To, Binary, Time) ->
    one_at_a_time(To, Binary, now_ns() + Time * 1000000, []);
calls(Rate, To, Binary, Time) ->
    in_time(To, Binary, 1000000000 div Rate, now_ns(), 0, Rate * Time div 1000, []).

one_at_a_time(To, Binary, End, Times) ->
    T0 = now_ns(),
    To ! {echo, self(), T0, Binary},
    receive {echo, T0, Binary} -> ok end,
    T1 = now_ns(),
    case T1 < End of
        true -> one_at_a_time(To, Binary, End, [T1 - T0 | Times]);
        false -> [T1 - T0 | Times]
    end.

%% Sends call number Sent when it is due, spins in between, and ends when all have come back.
in_time(_, _, _, _, Count, Count, Times) when length(Times) =:= Count ->
    Times;
in_time(To, Binary, Gap, Start, Sent, Count, Times) ->
    Due = Start + Sent * Gap,
    IsDue = Sent < Count andalso now_ns() >= Due,
    IsDue andalso (To ! {echo, self(), Due, Binary}),
    Next = case IsDue of true -> Sent + 1; false -> Sent end,
    receive
        {echo, Was, Binary} -> in_time(To, Binary, Gap, Start, Next, Count, [now_ns() - Was | Times])
    after 0 ->
        in_time(To, Binary, Gap, Start, Next, Count, Times)
    end.

now_ns() -> erlang:monotonic_time(nanosecond).
