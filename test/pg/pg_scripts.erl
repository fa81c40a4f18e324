%% Runs scripts of joins, leaves, kills, netsplits and crashes on real nodes with OTP's pg: a script a line in, its story out.
%%
%%   TypeScript ──stdin──▶ conductor ──erpc──▶ a b c d      The conductor is a hidden node: it sees all nodes, and they do
%%              ◀─stdout──                                  not count it. They never connect by themselves
%%                                                          (dist_auto_connect never), so a netsplit stays one.
%%
%% Each script has a scope of its own, so the nodes live on from script to script; a crash is a kill -9 and a new node of
%% that name. Nodes are settled when each has seen a mark of every node that it is connected to: what a scope sends to
%% another arrives in order, so all that came before the mark has been seen as well.
%% OTP 25's pg has a race of its own: a leave that reaches a scope between its first discover and the sync that follows ends
%% that scope ({badkey, Group} in leave_remote). Such a script ends with a line `pg failed`, and can be run again.
%% Script and story: script.ts.
-module(pg_scripts).
-export([conduct/0, node_start/1]).
-export([open/1, close/1, join/3, leave/3, kill/2, mark/2, await_marks/4, view/1, disconnect/1, connect/1]).

-define(HOST, "@127.0.0.1").
-define(SETTLE_MS, 5000).
-define(CONNECT_MS, 5000).

-record(world, {scope, ports = #{}, cuts = [], names = #{}, marks = 0}).

%% ---- the conductor ----

conduct() ->
    process_flag(trap_exit, true),
    World = lists:foldl(fun start/2, #world{}, [a, b, c, d]),
    io:format("ready~n"),
    loop(World).

loop(World) ->
    case io:get_line("") of
        eof -> halt(0);
        Line ->
            [Nodes | Steps] = string:lexemes(string:trim(Line), ";"),
            Next = run([atom(Name) || Name <- words(Nodes)], [words(Step) || Step <- Steps], World),
            io:format("end~n"),
            loop(Next)
    end.

run(Nodes, Steps, Before) ->
    Scope = atom("scope" ++ integer_to_list(erlang:unique_integer([positive]))),
    Ready = whole(Before#world{scope = Scope, cuts = [], names = #{}, marks = 0}),
    Used = Ready#world{ports = maps:with(Nodes, Ready#world.ports)},
    [ok = on(Name, open, [Scope]) || Name <- Nodes],
    After = steps(Steps ++ [["settle"]], Used),
    [on(Name, close, [Scope]) || Name <- up(After)],
    pass_on_output(),
    After#world{ports = maps:merge(maps:without(Nodes, Ready#world.ports), After#world.ports)}.

steps([], World) ->
    [tell_view(Name, World) || Name <- up(World)],
    World;
steps([Step | Steps], World) ->
    try step(Step, World) of
        Next -> steps(Steps, Next)
    catch
        throw:{pg_failed, Name, Reason} ->
            io:format("pg failed: ~s: ~0p~n", [Name, Reason]),
            World
    end.

step(["join", Node, Process, Group] = Step, World = #world{scope = Scope, names = Names}) ->
    {Pid, Result} = on(atom(Node), join, [Scope, atom(Process), Group]),
    tell(Step, Result),
    World#world{names = Names#{Pid => Process}};
step(["leave", Node, Process, Group] = Step, World = #world{scope = Scope, names = Names}) ->
    {Pid, Result} = on(atom(Node), leave, [Scope, atom(Process), Group]),
    tell(Step, Result),
    World#world{names = Names#{Pid => Process}};
step(["kill", Node, Process], World = #world{scope = Scope}) ->
    ok = on(atom(Node), kill, [Scope, atom(Process)]),
    World;
step(["cut", One, Other], World) ->
    ok = on(atom(One), disconnect, [full(atom(Other))]),
    ok = on(atom(Other), disconnect, [full(atom(One))]),
    World#world{cuts = [pair(atom(One), atom(Other)) | World#world.cuts]};
step(["heal", One, Other], World) ->
    connect_pair(atom(One), atom(Other)),
    World#world{cuts = lists:delete(pair(atom(One), atom(Other)), World#world.cuts)};
step(["crash", Node], World) ->
    crash(atom(Node), World);
step(["start", Node], World = #world{scope = Scope}) ->
    Name = atom(Node),
    Started = start(Name, World),
    ok = on(Name, open, [Scope]),
    Started;
step(["settle"], World = #world{scope = Scope, marks = Marks}) ->
    Up = up(World),
    Mark = {mark, Marks},
    [ok = on(Name, mark, [Scope, Mark]) || Name <- Up],
    [settle(Name, [full(Other) || Other <- Up, linked(Name, Other, World)], Mark, World) || Name <- Up],
    World#world{marks = Marks + 1}.

settle(Name, Others, Mark, #world{scope = Scope}) ->
    case on(Name, await_marks, [Scope, Mark, Others, ?SETTLE_MS]) of
        ok -> ok;
        Missing -> io:format("~s does not hear ~p~n", [Name, Missing])
    end.

tell_view(Name, #world{scope = Scope, names = Names}) ->
    [io:format("~s sees ~s: ~s / ~s~n", [Name, Group, texts(All, Names), texts(Local, Names)])
     || {Group, All, Local} <- on(Name, view, [Scope])].

texts(Pids, Names) ->
    lists:join(" ", lists:sort([maps:get(Pid, Names) || Pid <- Pids])).

tell(Step, Result) -> io:format("~s: ~s~n", [lists:join(" ", Step), Result]).

%% ---- nodes, from outside ----

%% All four run, and everybody is connected to everybody.
whole(World) ->
    Started = lists:foldl(fun start/2, World, [a, b, c, d] -- up(World)),
    [connect_pair(One, Other) || One <- up(Started), Other <- up(Started), One < Other],
    Started.

start(Name, World = #world{ports = Ports}) ->
    Arguments = ["-noinput", "-name", atom_to_list(full(Name)), "-setcookie", atom_to_list(erlang:get_cookie()),
                 "-start_epmd", "false", "-connect_all", "false", "-kernel", "dist_auto_connect", "never",
                 "-kernel", "prevent_overlapping_partitions", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}",
                 "+S", "1:1", "+sbwt", "none", "-pa", filename:dirname(code:which(?MODULE)),
                 "-run", atom_to_list(?MODULE), "node_start", atom_to_list(node())],
    Port = open_port({spawn_executable, os:find_executable("erl")}, [{args, Arguments}, exit_status]),
    await(fun() -> net_kernel:connect_node(full(Name)) =:= true end, {start, Name}),
    Started = World#world{ports = Ports#{Name => Port}},
    [connect_pair(Name, Other) || Other <- up(World), linked(Name, Other, World)],
    Started.

crash(Name, World = #world{ports = Ports}) ->
    Port = maps:get(Name, Ports),
    {os_pid, Pid} = erlang:port_info(Port, os_pid),
    os:cmd("kill -9 " ++ integer_to_list(Pid)),
    receive {Port, {exit_status, _}} -> ok end,
    Crashed = World#world{ports = maps:remove(Name, Ports)},
    [await(fun() -> not lists:member(full(Name), on(Other, erlang, nodes, [])) end, {crash, Name})
     || Other <- up(Crashed)],
    await(fun() -> not lists:member(full(Name), nodes(hidden) ++ nodes()) end, {crash, Name}),
    Crashed.

connect_pair(One, Other) ->
    ok = on(One, connect, [full(Other)]),
    await(fun() -> lists:member(full(One), on(Other, erlang, nodes, [])) end, {connect, One, Other}).

linked(Name, Name, _) -> false;
linked(One, Other, #world{cuts = Cuts}) -> not lists:member(pair(One, Other), Cuts).

up(#world{ports = Ports}) -> lists:sort(maps:keys(Ports)).

on(Name, Function, Arguments) -> on(Name, ?MODULE, Function, Arguments).
on(Name, Module, Function, Arguments) ->
    try
        erpc:call(full(Name), Module, Function, Arguments, 20000)
    catch
        exit:{exception, {noproc, {gen_server, call, _}}} -> throw({pg_failed, Name, noproc});
        exit:{exception, {Reason, {gen_server, call, _}}} -> throw({pg_failed, Name, Reason})
    end.

%% What the nodes have printed.
pass_on_output() ->
    receive
        {Port, {data, Text}} when is_port(Port) -> io:put_chars(standard_error, Text), pass_on_output()
    after 0 -> ok
    end.

full(Name) -> atom(atom_to_list(Name) ++ ?HOST).
pair(One, Other) -> {min(One, Other), max(One, Other)}.
atom(Text) -> list_to_atom(Text).
words(Text) -> string:lexemes(Text, " ").

await(Condition, What) -> await(Condition, What, ?CONNECT_MS).
await(_, What, Left) when Left =< 0 -> error({did_not_come_about, What});
await(Condition, What, Left) ->
    case Condition() of
        true -> ok;
        false -> timer:sleep(2), await(Condition, What, Left - 2)
    end.

%% ---- on a node ----

%% A node ends when its conductor is gone.
node_start([Conductor]) ->
    spawn(fun() ->
        await(fun() -> lists:member(atom(Conductor), nodes(hidden)) end, conductor),
        monitor_node(atom(Conductor), true),
        receive {nodedown, _} -> halt(1) end
    end).

open(Scope) ->
    {ok, _} = pg:start(Scope),
    ok.

close(Scope) -> whereis(Scope) =:= undefined orelse gen_server:stop(Scope).

join(Scope, Process, Group) ->
    Pid = process(Scope, Process),
    {Pid, pg:join(Scope, Group, Pid)}.

leave(Scope, Process, Group) ->
    Pid = process(Scope, Process),
    {Pid, pg:leave(Scope, Group, Pid)}.

%% Ends a process, and waits until its own node's scope knows: a kill that is still on its way at the next step is a race
%% within a node that wandist, with one thread, does not have.
kill(Scope, Process) ->
    Pid = process(Scope, Process),
    exit(Pid, kill),
    IsIn = fun(Group) -> lists:member(Pid, pg:get_local_members(Scope, Group)) end,
    await(fun() -> not lists:any(IsIn, pg:which_local_groups(Scope)) end, {kill, Process}).

%% A script's process of that name, started when it is new. It ends with its scope.
process(Scope, Process) ->
    Name = atom(atom_to_list(Scope) ++ "/" ++ atom_to_list(Process)),
    case whereis(Name) of
        undefined ->
            Pid = start_process(Scope),
            register(Name, Pid),
            Pid;
        Pid -> Pid
    end.

start_process(Scope) ->
    spawn(fun() ->
        Monitor = monitor(process, Scope),
        receive {'DOWN', Monitor, process, _, _} -> ok end
    end).

mark(Scope, Mark) -> pg:join(Scope, Mark, start_process(Scope)).

await_marks(Scope, Mark, Nodes, Left) ->
    case Nodes -- [node(Pid) || Pid <- pg:get_members(Scope, Mark)] of
        [] -> ok;
        Missing when Left =< 0 -> Missing;
        _ -> timer:sleep(1), await_marks(Scope, Mark, Nodes, Left - 1)
    end.

%% Groups that are lists are the script's; the marks are ours.
view(Scope) ->
    [{Group, pg:get_members(Scope, Group), pg:get_local_members(Scope, Group)}
     || Group <- lists:sort(pg:which_groups(Scope)), is_list(Group)].

disconnect(Node) ->
    erlang:disconnect_node(Node),
    await(fun() -> not lists:member(Node, nodes()) end, {disconnect, Node}).

connect(Node) ->
    await(fun() -> net_kernel:connect_node(Node) =:= true end, {connect, Node}).
