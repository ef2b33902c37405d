"""The least columns of each public table and table macro, as the contract has them; nothing else.

A column goes only with a line in CHANGELOG.md.
"""

SECONDS = (
    "staffed_seconds available_seconds handling_seconds wrap_up_seconds not_ready_seconds offline_seconds "
    "unobserved_seconds observed_seconds load_seconds capacity_seconds work_item_seconds transfers_out transfers_in "
    "logins"
)
COLUMNS = {
    "marts.dim_agents": "source vendor agent_id agent_name person_id team site first_seen_at last_seen_at",
    "marts.fct_agent_timeline": "date source agent_id started_at ended_at seconds state vendor_state reason_code "
    "reason session_id state_started_at work_items load capacity direction is_open uncertainty_seconds evidence",
    "marts.fct_agent_sessions": "source agent_id session_id logged_in_at logged_out_at seconds is_open ended_by",
    "marts.fct_participation": "date source interaction_id agent_id joined_at left_at seconds role channel",
    "marts.fct_transfers": "date source transfer_id interaction_id from_agent_id to_kind to_id started_at completed_at "
    "seconds kind hop is_return",
    "marts.fct_agent_intervals": f"date source agent_id interval_start {SECONDS} uncertainty_seconds",
    "marts.agg_agent_days": f"date source agent_id {SECONDS} first_login_at last_logout_at uncertainty_seconds",
    "marts.agg_not_ready_reasons": "date source agent_id reason seconds occurrences",
    "marts.agg_transfer_pairs": "date source from_agent_id to_kind to_id transfers completed seconds returns",
    "marts.dim_agent_roster": "source agent_id person_id display_name team site valid_from valid_to origin",
    "marts.fct_person_timeline": "date person_id started_at ended_at seconds state reason agents "
    "staffed_agents is_overlap",
    "marts.agg_person_days": "date person_id agents staffed_seconds available_seconds handling_seconds wrap_up_seconds "
    "not_ready_seconds offline_seconds unobserved_seconds overlap_seconds observed_seconds",
    "marts.fct_adherence": "date source agent_id person_id started_at ended_at seconds activity is_work state reason "
    "adherence is_tolerated is_unmapped",
    "marts.fct_adherence_intervals": "date source agent_id person_id interval_start scheduled_seconds "
    "scheduled_work_seconds worked_seconds adherent_seconds out_of_adherence_seconds neutral_seconds observed_seconds",
    "ops.feed_coverage": "date source feed window_start window_end status reason",
    "ops.source_health": "source feed observed_until lag_seconds gap_seconds_7d hours_to_loss clock_drift_seconds "
    "rejects_7d last_error",
    "ops.capture_log": "source feed window_start window_end attempted_at status records vendor_time error",
    "ops.broken_chains": "source agent_id missing_from missing_until missing_id",
    "ops.reconciliation": "date source feed agent_id interval_start interval_end figure ours_seconds theirs_seconds "
    "difference_seconds tolerance_seconds coverage is_judged",
    "ops.rejects": "source feed segment sequence record reason payload",
}
WHO = "source agent_id agent_name"
ANSWERS = {
    "agent_state_at": f"{WHO} state vendor_state reason started_at evidence",
    "agent_intervals": f"{WHO} interval_start interval_end local_label {SECONDS.replace('observed_seconds ', '', 1)} "
    "uncertainty_seconds observed_seconds",
    "sessions_participated": f"{WHO} sessions observed_seconds",
    "idle_time": f"{WHO} idle_seconds vendor_idle_seconds observed_seconds",
    "time_in_state": f"{WHO} state vendor_state seconds observed_seconds",
    "time_with_sessions": f"{WHO} seconds observed_seconds",
    "current_state_age": f"{WHO} state vendor_state since seconds",
}
