-- Copyright 2026 The discountd Authors
-- SPDX-License-Identifier: Apache-2.0

-- A counter beside its limit, and a ledger in which a request id has one row. The
-- pages of coupon have room for new versions of its rows, so that no index entry is
-- written when a counter goes up.
create table coupon (
	id bigint primary key,
	max_redemptions bigint not null,
	redeemed bigint not null default 0
) with (fillfactor = 10);

create table redemption (
	coupon bigint not null,
	request text not null,
	fingerprint bytea not null,
	amount bigint not null,
	lines text not null,
	time timestamptz not null,
	primary key (coupon, request)
);

-- redeem_one takes one redemption and returns its row: the new one, the one from
-- before, or none when the limit is reached. The coupon's row, which everyone
-- waits for, is locked last.
create function redeem_one(
	p_coupon bigint, p_request text, p_fingerprint bytea, p_amount bigint, p_lines text, p_time timestamptz
) returns setof redemption language plpgsql as $$
begin
	insert into redemption values (p_coupon, p_request, p_fingerprint, p_amount, p_lines, p_time)
		on conflict do nothing;
	if not found then
		return query select * from redemption where coupon = p_coupon and request = p_request;
		return;
	end if;
	update coupon set redeemed = redeemed + 1 where id = p_coupon and redeemed < max_redemptions;
	if not found then
		delete from redemption where coupon = p_coupon and request = p_request;
		return;
	end if;
	return next row(p_coupon, p_request, p_fingerprint, p_amount, p_lines, p_time)::redemption;
end $$;

-- redeem_many takes several redemptions, of different request ids, in the order
-- given. It returns nothing for those that it took, a row with the place in that
-- order for one that was taken before, and a row of nulls but for the place where
-- the limit is reached.
create function redeem_many(
	p_coupons bigint[], p_requests text[], p_fingerprints bytea[], p_amounts bigint[], p_lines text[], p_time timestamptz
) returns table (place bigint, was_fingerprint bytea, was_amount bigint, was_lines text, was_time timestamptz)
language plpgsql as $$
begin
	-- In one order, so that two batches do not wait for each other. What follows
	-- sees all that those wrote who had the locks before.
	perform 1 from coupon where id = any(p_coupons) order by id for update;
	return query
	with wanted as (
		select u.place, u.coupon, u.request, u.fingerprint, u.amount, u.lines
		from unnest(p_coupons, p_requests, p_fingerprints, p_amounts, p_lines)
			with ordinality as u(coupon, request, fingerprint, amount, lines, place)
	), before as materialized (
		select w.place, w.coupon, w.request, w.fingerprint, w.amount, w.lines,
			r.request as was, r.fingerprint as was_f, r.amount as was_a, r.lines as was_l, r.time as was_t
		from wanted w left join redemption r on r.coupon = w.coupon and r.request = w.request
	), ranked as (
		select b.*, row_number() over (partition by b.coupon order by b.place) as rank from before b where b.was is null
	), fits as materialized (
		select k.* from ranked k join coupon c on c.id = k.coupon where c.redeemed + k.rank <= c.max_redemptions
	), inserted as (
		insert into redemption select f.coupon, f.request, f.fingerprint, f.amount, f.lines, p_time from fits f
	), counted as (
		update coupon c set redeemed = c.redeemed + n.taken
		from (select f.coupon, count(*) as taken from fits f group by f.coupon) n where c.id = n.coupon
	)
	select b.place, b.was_f, b.was_a, b.was_l, b.was_t from before b
	where b.was is not null or not exists (select 1 from fits f where f.place = b.place);
end $$;
