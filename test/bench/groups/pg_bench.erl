%% Erlang's side of the groups benchmark: OTP's pg on one node or two, each case a run of its own.
%%   serve                                      the other node; runs until it is killed
%%   join|visible|lookup|heal SECONDS MEMBERS   prints one figure, join and heal two
%%   memory MEMBERS_BEFORE MEMBERS              prints three
%% A member is a process that waits, in a group of its own; groups are named by binaries.
-module(pg_bench).
-export([run/1]).
-export([open/0, fill/2, await_groups/1, await_groups_and_look/2, total_bytes/0]).

-define(OTHER, 'other@127.0.0.1').
-define(SCOPE, bench).

run(["serve"]) ->
    register(ready, self()),
    receive stop -> ok end;
run([Case | Arguments]) ->
    [io:format("~.3f~n", [float(Figure)]) || Figure <- figures(Case, [list_to_integer(A) || A <- Arguments])],
    halt(0).

%% Joins per second, and joins per second until each group has been looked at as well.
figures("join", [Seconds, Count]) ->
    open(),
    Members = members(a, Count),
    Names = names(a, Count),
    Once = fun() ->
        T0 = now_ns(),
        join_all(Members),
        T1 = now_ns(),
        look(Names),
        T2 = now_ns(),
        leave_all(),
        {T1 - T0, T2 - T0}
    end,
    Once(),
    Times = repeat(Once, now_ns() + Seconds * 1_000_000_000, []),
    [Count * 1.0e9 / median([Joined || {Joined, _} <- Times]), Count * 1.0e9 / median([Looked || {_, Looked} <- Times])];

%% Joins per second, until the other node has seen each of them.
figures("visible", [Seconds, Count]) ->
    both(),
    Members = members(a, Count),
    Names = names(a, Count),
    Visible = fun() ->
        Request = erpc:send_request(?OTHER, ?MODULE, await_groups_and_look, [Count, Names]),
        join_all(Members),
        erpc:receive_response(Request)
    end,
    Back = fun() -> leave_all(), ok = on_other(await_groups, [0]) end,
    [rate(Visible, Back, Seconds, Count)];

%% Lookups per second, in no order.
figures("lookup", [Seconds, Count]) ->
    open(),
    join_all(members(a, Count)),
    Names = [Name || {_, Name} <- lists:sort([{rand:uniform(), Name} || Name <- names(a, Count)])],
    look(Names, 0, now_ns() + 1_000_000_000),
    T0 = now_ns(),
    Looked = look(Names, 0, T0 + Seconds * 1_000_000_000),
    [Looked * 1.0e9 / (now_ns() - T0)];

%% Half of the members on each node: ms from the end of the link's handshake until both have all, and until both have
%% looked at each as well.
figures("heal", [Seconds, Count]) ->
    both(),
    Half = Count div 2,
    join_all(members(a, Half)),
    ok = on_other(fill, [b, Half]),
    ok = await_groups(2 * Half),
    ok = on_other(await_groups, [2 * Half]),
    {OwnNames, OtherNames} = {names(a, Half), names(b, Half)},
    Heal = fun() -> heal(Half, OwnNames, OtherNames) end,
    Heal(),
    Times = repeat(Heal, now_ns() + Seconds * 1_000_000_000, []),
    [median([Whole || {Whole, _} <- Times]) / 1.0e6, median([Looked || {_, Looked} <- Times]) / 1.0e6];

%% Bytes per member: process and membership; the membership alone; and what it takes on the other node.
figures("memory", [Before, Count]) ->
    both(),
    join_all(members(before, Before)),
    ok = on_other(await_groups, [Before]),
    Bytes0 = total_bytes(),
    Other0 = on_other(total_bytes, []),
    Members = members(a, Count),
    Bytes1 = total_bytes(),
    join_all(Members),
    ok = on_other(await_groups, [Before + Count]),
    Bytes2 = total_bytes(),
    Other2 = on_other(total_bytes, []),
    %% The list that we hold: two words a cell, three a pair, and the name, which the group's table has a copy of.
    Word = erlang:system_info(wordsize),
    List = Word * lists:sum([2 + 3 + erts_debug:flat_size(Name) || {Name, _} <- Members]),
    [(Bytes2 - Bytes0 - List) / Count, (Bytes2 - Bytes1) / Count, (Other2 - Other0) / Count].

%% ---- what is measured ----

%% Count per second, the median of as many runs as there is time for; the first one warms up.
rate(Run, Back, Seconds, Count) ->
    Run(),
    Timed = fun() -> Back(), T0 = now_ns(), Run(), now_ns() - T0 end,
    Count * 1.0e9 / median(repeat(Timed, now_ns() + Seconds * 1_000_000_000, [])).

%% Until the end, three times at least.
repeat(Run, End, Results) ->
    All = [Run() | Results],
    case now_ns() < End orelse length(All) < 3 of
        true -> repeat(Run, End, All);
        false -> All
    end.

look(Names, Looked, End) ->
    look(Names),
    case now_ns() < End of
        true -> look(Names, Looked + length(Names), End);
        false -> Looked + length(Names)
    end.

look(Names) -> lists:foreach(fun(Name) -> [_ | _] = pg:get_members(?SCOPE, Name) end, Names).

heal(Half, OwnNames, OtherNames) ->
    erlang:disconnect_node(?OTHER),
    await(fun() -> not lists:member(?OTHER, nodes()) end),
    ok = await_groups(Half),
    %% The other one must have noticed as well, or there is less to heal.
    timer:sleep(1000),
    true = net_kernel:connect_node(?OTHER),
    T0 = now_ns(),
    Request = erpc:send_request(?OTHER, ?MODULE, await_groups_and_look, [2 * Half, OwnNames]),
    ok = await_groups(2 * Half),
    T1 = now_ns(),
    look(OtherNames),
    T2 = now_ns(),
    LookedThere = erpc:receive_response(Request),
    T3 = now_ns(),
    %% Without a common clock: the other node says how long its looks took.
    {max(T1, T3 - LookedThere) - T0, max(T2, T3) - T0}.

%% ---- on either node ----

open() ->
    {ok, _} = pg:start(?SCOPE),
    ok.

%% The members must outlive the call, so a process that stays makes them.
fill(Prefix, Count) ->
    Self = self(),
    spawn(fun() ->
        join_all(members(Prefix, Count)),
        Self ! filled,
        receive stop -> ok end
    end),
    receive filled -> ok end.

await_groups(Count) -> await(fun() -> ets:info(?SCOPE, size) =:= Count end).

%% Waits until all groups are there, then looks at each; returns how long that look took, ns.
await_groups_and_look(Count, Names) ->
    ok = await_groups(Count),
    T0 = now_ns(),
    look(Names),
    now_ns() - T0.

%% What the node holds when no process holds garbage.
total_bytes() ->
    [garbage_collect(Pid) || Pid <- processes()],
    timer:sleep(200),
    [garbage_collect(Pid) || Pid <- processes()],
    erlang:memory(total).

%% ---- helpers ----

both() ->
    await(fun() -> net_kernel:connect_node(?OTHER) =:= true end),
    await(fun() -> is_pid(erpc:call(?OTHER, erlang, whereis, [ready])) end),
    open(),
    ok = on_other(open, []).

on_other(Function, Arguments) -> erpc:call(?OTHER, ?MODULE, Function, Arguments).

%% New processes, each with the name of its group.
members(Prefix, Count) ->
    [{Name, spawn(fun() -> receive stop -> ok end end)} || Name <- names(Prefix, Count)].

join_all(Members) -> [ok = pg:join(?SCOPE, Group, Pid) || {Group, Pid} <- Members].

leave_all() ->
    [ok = pg:leave(?SCOPE, Group, pg:get_local_members(?SCOPE, Group)) || Group <- pg:which_local_groups(?SCOPE)].

names(Prefix, Count) ->
    [iolist_to_binary([atom_to_list(Prefix), $/, integer_to_list(Number)]) || Number <- lists:seq(1, Count)].

median(Values) -> lists:nth((length(Values) + 1) div 2, lists:sort(Values)).

await(Condition) -> await(Condition, 20000).
await(_, 0) -> error(did_not_come_about);
await(Condition, Left) ->
    case Condition() of
        true -> ok;
        false -> timer:sleep(1), await(Condition, Left - 1)
    end.

now_ns() -> erlang:monotonic_time(nanosecond).
